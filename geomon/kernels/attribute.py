"""Is a confirmed object mining? The first honest rule, with its reasons.

In: a handful of numbers that describe one object over time. Out: a probability, a yes or no, the confuser it resembles
otherwise, and the reasons in words. It looks at what mining does and its look-alikes do not (design 4.5): a working
mixes bare ground with turbid or standing water, grows over more than one date, and stays open; a clearing appears on
one date, holds no water and greens; a road is thin. The weights are log odds set by that reasoning, not fitted; the
benchmark measures them. A trained model has its own issue.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from geomon.model import Confuser, SiteType


@dataclass(frozen=True, slots=True)
class ObjectFeatures:
    """What is known of one confirmed object.

    `bare`, `water`, `turbid` are mean fractions over its pixels after the change [0-1]; `wet_share` and `turbid_share`
    the shares of its pixels with at least WET_PIXEL water and TURBID_PIXEL turbid water; `growth_days` the 10-90 % span
    of its pixels' first_seen; `burst_share` the largest share that began within twelve days; `persistence` the share of
    clear looks since first seen that show it; `passing` whether later looks undid it within nine months, `life_days`
    how long it lasted so far (median); `width_m` the width of a band with its pixels' mean distance to its edge,
    `length_m` its longest extent.
    """

    area_ha: float
    bare: float
    water: float
    turbid: float
    wet_share: float
    turbid_share: float
    growth_days: float
    burst_share: float
    persistence: float
    passing: bool
    life_days: float
    width_m: float
    length_m: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one object, with its reasons."""

    mining: bool
    probability: float
    confuser: Confuser | None
    type: SiteType
    reasons: tuple[str, ...]


WET_PIXEL: Final = 0.15
TURBID_PIXEL: Final = 0.10
"""A pixel with this much water, or turbid water, counts: set by reasoning. Still water and shade look alike, turbid
water looks like nothing else here, so the second says more.
"""

_PRIOR: Final = -1.0
_PRIOR_SMALL: Final = -1.75
_SMALL_HA: Final = 0.3
"""Log odds of a lasting change before it is looked at: of those in the simulated landscapes a third are mines, and a
seventh of the small ones (houses, ends of roads, corners of fields).
"""
_TURBID_SHARE: Final = 0.4
_WET_SHARE: Final = 0.6
_MIXED: Final = 0.4
"""Shares of turbid and of wet pixels at which the mixture says all it can, and the product of the two that is called
one.
"""
_GROWN_DAYS: Final = 40.0
_GRADUAL: Final = 0.7
_BURST: Final = 0.85
_THIN_M: Final = 35.0
_LONG_M: Final = 300.0
_SLENDER: Final = 5.5
_SHORT_LIFE_DAYS: Final = 120.0


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
    terms = [*_water_terms(features), *_growth_terms(features), *_fate_terms(features), *_shape_terms(features)]
    log_odds = (_PRIOR if features.area_ha >= _SMALL_HA else _PRIOR_SMALL) + sum(weight for weight, _ in terms)
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


def _water_terms(f: ObjectFeatures) -> list[tuple[float, str]]:
    mixture = min(f.turbid_share / _TURBID_SHARE, 1.0) * min(f.wet_share / _WET_SHARE, 1.0)
    weight = 4.0 * mixture - 1.5
    if mixture >= _MIXED:
        return [(weight, f"bare ground mixed with {round(100 * f.water)} % water, some of it turbid")]
    return [(weight, "little turbid water in it")]


def _growth_terms(f: ObjectFeatures) -> list[tuple[float, str]]:
    if f.burst_share >= _BURST:
        return [(-1.5, f"{round(100 * f.burst_share)} % of it appeared at once")]
    if f.growth_days >= _GROWN_DAYS and f.burst_share < _GRADUAL:
        return [(1.0, f"accreted over {round(f.growth_days)} days")]
    return []


def _fate_terms(f: ObjectFeatures) -> list[tuple[float, str]]:
    if f.passing:
        return [(-6.0, f"gone after {round(f.life_days)} days")]
    if f.persistence >= 0.85:
        return [(0.5, "open on nearly every clear look")]
    return [(-2.5, "not seen on many clear looks")] if f.persistence < 0.6 else []


def _shape_terms(f: ObjectFeatures) -> list[tuple[float, str]]:
    if _is_thin(f):
        return [(-4.0, f"long and thin ({round(f.length_m)} x {round(f.width_m)} m)")]
    if f.length_m > _SLENDER * f.width_m and f.width_m < _THIN_M:
        return [(-2.5, f"slender ({round(f.length_m)} x {round(f.width_m)} m)")]
    return []


def _is_thin(f: ObjectFeatures) -> bool:
    return f.width_m < _THIN_M and f.length_m > _LONG_M


def _confuser(f: ObjectFeatures) -> Confuser:
    if _is_thin(f) and not f.passing:
        return Confuser.ROAD
    if f.wet_share >= 0.5 and f.bare < 0.2:
        return Confuser.FLOOD
    if f.passing and f.life_days < _SHORT_LIFE_DAYS:
        return Confuser.BURN
    if f.passing or f.burst_share >= _BURST:
        return Confuser.FARM
    return Confuser.UNKNOWN


def _type(f: ObjectFeatures) -> SiteType:
    if f.turbid >= 0.25:
        return SiteType.WASHING
    return SiteType.EXCAVATION if f.bare >= 0.2 else SiteType.GENERIC
