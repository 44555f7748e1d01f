"""Is a changed object mining? Log odds from what it did over time, what covers it, its shape and where it lies.

In: a handful of numbers that describe one object. Out: a probability, a yes or no, the confuser it resembles otherwise,
and the reasons in words. It looks at what mining does and its look-alikes do not (design 4.5): a working mixes bare
ground with turbid or standing water, grows pit by pit over months, and stays open through the rains; a clearing appears
on one date, holds no water and greens; a road is thin; a flood is water without ground.

The weights are log odds, set by that reasoning and rounded after a logistic regression (ridge 0.1) on the objects of
two simulators with different physics had given nearly the same ones for each alone: turbid 3.0 and 2.8, slender -3.6
and -3.6, gradual 2.1 and 1.4, passing -1.6 and -1.1. How often a stated probability is right is measured by
`benchmarks/accuracy.py`, which names the seeds that were seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from geomon.model import Confuser, SiteType


@dataclass(frozen=True, slots=True)
class ObjectFeatures:
    """What is known of one object.

    `bare`, `water`, `turbid` are mean fractions over its pixels after the change [0-1]; `wet_share` and `turbid_share`
    the shares of its pixels with at least WET_PIXEL water and TURBID_PIXEL turbid water; `mixed_share` that of pixels
    with both bare ground and water nearby; `growth_days` the 10-90 % span of its pixels' first_seen; `burst_share` the
    largest share that began within twelve days, `burst_gap_days` how long before that it had not been seen clear;
    `persistence` the share of clear looks since first seen that show it; `passing` whether later looks undid it within
    nine months, `standing` whether it was there before the monitor and did not grow; `life_days` how long it lasted so
    far (median); `width_m` the width of a band with its pixels' mean distance to its edge, `length_m` its longest
    extent, `chain_m` that of the row of thin objects it belongs to. Of the last three, NaN means unknown: distance to
    the nearest channel, height above it, slope.
    """

    area_ha: float
    bare: float
    water: float
    turbid: float
    wet_share: float
    turbid_share: float
    mixed_share: float
    growth_days: float
    burst_share: float
    burst_gap_days: float
    persistence: float
    passing: bool
    standing: bool
    life_days: float
    width_m: float
    length_m: float
    chain_m: float
    channel_m: float = math.nan
    height_m: float = math.nan
    slope_deg: float = math.nan


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one object, with its reasons."""

    mining: bool
    probability: float
    confuser: Confuser | None
    type: SiteType
    reasons: tuple[str, ...]


BARE_PIXEL: Final = 0.20
WET_PIXEL: Final = 0.15
TURBID_PIXEL: Final = 0.10
"""A pixel with this much bare ground, water or turbid water counts: set by reasoning. Still water and shade look alike,
turbid water looks like little else here, so it says more.
"""

_PRIOR: Final = -1.0
_PRIOR_SMALLEST: Final = -2.0
_PRIOR_STANDING: Final = -1.75
_FAINT: Final = (0.35, -2.0)
_SMALL_HA: Final = (0.1, 0.3)
"""Log odds before an object is looked at: a third of the lasting changes in the tuning landscapes are mines, fewer the
smaller they are (houses, ends of roads, corners of fields) and of what was open before (rivers, roads, villages). What
shows less than 0.35 of bare ground and water (`footprints.objects.DUG_SHARE`) was hardly dug.
"""
_TURBID: Final = (0.4, 2.5)
_WET: Final = (0.6, 2.5)
_DRY: Final = -3.0
"""Shares of turbid and of wet pixels that say all they can, and what they say then; what no water at all says."""
_LEAST_BARE: Final = 0.15
_LEAST_BARE_STANDING: Final = 0.25
"""Water with less bare ground than this about it is a flood, a pond or a river, in proportion; old ground that never
grew needs more of it, since sandbanks stand in rivers.
"""
_GRADUAL: Final = (0.4, 1.5)
_MIDDLE: Final = 0.75
_SUDDEN: Final = (1.0, -1.0)
"""Burst shares that say most for, nothing, and most against; and how much."""
_BLIND_DAYS: Final = (45.0, 90.0)
"""What appeared at once after a gap of 45 days without a clear look hardly tells, after 90 not at all."""
_PASSING: Final = -1.5
_OPEN: Final = (0.85, 1.0)
_SELDOM: Final = (0.4, -1.5)
"""Undone by later looks; the share of clear looks that show it from which it is open, below which it comes and goes."""
_BAND_M: Final = 60.0
SLENDER: Final = 8.0
_SLENDER_MOST: Final = (20.0, -4.0)
_LINE: Final = (28.0, 600.0)
"""A band narrower than 60 m speaks against mining the longer it is: from eight times its width, fully at twenty.
Trenches on dikes reach fifteen in the tuning landscapes, roads twenty and more. Pieces narrower than 28 m in a row of
600 m are a road, too.
"""
_NEAR_M: Final = (100.0, 1000.0, 0.3)
_STEEP_DEG: Final = (15.0, -0.5)
_LOW_M: Final = (5.0, 0.2)
"""Weak, since dikes and colluvium lie off the rivers (domain.md 1): within 100 m of a channel for, beyond 1 km against;
less than 5 m above it for; steep ground against.
"""
_SHORT_LIFE_DAYS: Final = 120.0
_Term = tuple[float, str]


def attribute(features: ObjectFeatures) -> Verdict:
    """Weigh an object's features as log odds.

    Parameters
    ----------
    features : ObjectFeatures

    Returns
    -------
    Verdict
        `mining` is a probability above 0.5; the confuser is None for mining.
    """
    terms = [
        *_water_terms(features),
        *_cover_terms(features),
        *_growth_terms(features),
        *_fate_terms(features),
        *_shape_terms(features),
        *_place_terms(features),
    ]
    log_odds = _prior(features) + sum(weight for weight, _ in terms)
    probability = 1.0 / (1.0 + math.exp(-log_odds))
    mining = log_odds > 0.0
    reasons = tuple(reason for weight, reason in sorted(terms, key=lambda term: -abs(term[0])))
    return Verdict(
        mining=mining,
        probability=round(probability, 3),
        confuser=None if mining else _confuser(features),
        type=_type(features) if mining else SiteType.UNKNOWN,
        reasons=reasons,
    )


def _prior(f: ObjectFeatures) -> float:
    least, enough = _SMALL_HA
    small = min(max((enough - f.area_ha) / (enough - least), 0.0), 1.0)
    return (_PRIOR_STANDING if f.standing else _PRIOR) + (_PRIOR_SMALLEST - _PRIOR) * small


def _water_terms(f: ObjectFeatures) -> list[_Term]:
    turbid = _TURBID[1] * min(f.turbid_share / _TURBID[0], 1.0)
    wet = _WET[1] * min(f.wet_share / _WET[0], 1.0)
    least = _LEAST_BARE_STANDING if f.standing else _LEAST_BARE
    weight = (turbid + wet) * f.mixed_share * min(f.bare / least, 1.0) + _DRY
    if f.bare < _LEAST_BARE and f.water >= f.bare:
        return [(weight, f"{round(100 * f.water)} % water with little bare ground")]
    if f.turbid_share >= 0.5 * _TURBID[0]:
        return [(weight, f"bare ground mixed with {round(100 * f.water)} % water, some of it turbid")]
    return [(weight, f"bare ground with {round(100 * f.water)} % water, hardly any of it turbid")]


def _cover_terms(f: ObjectFeatures) -> list[_Term]:
    shown = f.bare + f.water
    return [(_FAINT[1], f"only {round(100 * shown)} % bare ground or water")] if shown < _FAINT[0] else []


def _growth_terms(f: ObjectFeatures) -> list[_Term]:
    if f.standing:
        return [(0.0, "open at the greenest time of the baseline, no change seen since")]
    if f.burst_share <= _MIDDLE:
        weight = _GRADUAL[1] * min((_MIDDLE - f.burst_share) / (_MIDDLE - _GRADUAL[0]), 1.0)
        return [(weight, f"accreted over {round(f.growth_days)} days")]
    weight = _SUDDEN[1] * (f.burst_share - _MIDDLE) / (_SUDDEN[0] - _MIDDLE)
    telling = min(max((_BLIND_DAYS[1] - f.burst_gap_days) / (_BLIND_DAYS[1] - _BLIND_DAYS[0]), 0.0), 1.0)
    return [(weight * telling, f"{round(100 * f.burst_share)} % of it appeared at once")]


def _fate_terms(f: ObjectFeatures) -> list[_Term]:
    if f.standing:
        return []  # its growth term has said so
    terms = [(_PASSING, f"gone after {round(f.life_days)} days")] if f.passing else []
    if f.persistence >= _OPEN[0]:
        return [*terms, (_OPEN[1], "open on nearly every clear look")]
    seldom = f.persistence < _SELDOM[0]
    return [*terms, (_SELDOM[1], "not seen on many clear looks")] if seldom else terms


def _shape_terms(f: ObjectFeatures) -> list[_Term]:
    if _is_line(f):
        return [(_SLENDER_MOST[1], f"part of a line {round(f.chain_m)} m long and {round(f.width_m)} m wide")]
    high, most = _SLENDER_MOST
    weight = most * min(max((f.length_m / f.width_m - SLENDER) / (high - SLENDER), 0.0), 1.0)
    if f.width_m < _BAND_M and weight < 0.0:
        return [(weight, f"long and thin ({round(f.length_m)} x {round(f.width_m)} m)")]
    return []


def _place_terms(f: ObjectFeatures) -> list[_Term]:
    terms = []
    near, far, weight = _NEAR_M
    if f.channel_m <= near or f.channel_m >= far:
        terms.append((weight if f.channel_m <= near else -weight, f"{round(f.channel_m)} m from a channel"))
    if f.height_m <= _LOW_M[0]:
        terms.append((_LOW_M[1], f"{round(f.height_m)} m above the drainage"))
    if f.slope_deg >= _STEEP_DEG[0]:
        terms.append((_STEEP_DEG[1], f"on a slope of {round(f.slope_deg)} degrees"))
    return terms


def _is_line(f: ObjectFeatures) -> bool:
    return f.width_m < _LINE[0] and f.chain_m >= _LINE[1]


def _confuser(f: ObjectFeatures) -> Confuser:
    slender = f.width_m < _BAND_M and f.length_m > SLENDER * f.width_m
    if (slender or _is_line(f)) and f.bare >= _LEAST_BARE:
        return Confuser.ROAD
    if f.wet_share >= 0.5 and f.bare < _LEAST_BARE:
        return Confuser.FLOOD
    if f.passing and f.channel_m <= _NEAR_M[0] and f.turbid_share >= _TURBID[0]:
        return Confuser.SANDBANK
    if f.passing and f.life_days < _SHORT_LIFE_DAYS:
        return Confuser.BURN
    if f.passing or f.burst_share >= _MIDDLE:
        return Confuser.FARM
    return Confuser.SETTLEMENT if f.wet_share < 0.1 and f.persistence >= _OPEN[0] else Confuser.UNKNOWN


def _type(f: ObjectFeatures) -> SiteType:
    if f.turbid >= 0.25:
        return SiteType.WASHING
    return SiteType.EXCAVATION if f.bare >= 0.2 else SiteType.GENERIC
