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

    `bare`, `water`, `turbid` are mean fractions over its pixels after the change [0-1]; `wet_share` is the share of its
    pixels with at least `WET_PIXEL` water; `growth_days` the 10-90 % span of its pixels' first_seen; `n_dates` how many
    distinct first_seen dates hold at least a tenth of its pixels or ten pixels; `persistence` the share of clear looks
    since first seen that still show it; `greened_share` the share of its pixels whose evidence ended at least 60 days
    before their last clear look; `width_m` twice the mean distance of its pixels to its edge, doubled again (the width
    of a band of that mean distance); `length_m` its longest extent.
    """

    area_ha: float
    bare: float
    water: float
    turbid: float
    wet_share: float
    growth_days: float
    n_dates: int
    persistence: float
    greened_share: float
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
"""A pixel with this much water counts as wet: three times the fraction noise of the unmixing on stable forest
(benchmarks/accuracy.py).
"""

_WET_SHARE: Final = 0.08
_GROWN_DAYS: Final = 25.0
_ONE_DAY: Final = 12.0
_THIN_M: Final = 30.0
_LONG_M: Final = 300.0


def attribute(features: ObjectFeatures) -> Verdict:
    """Weigh an object's features as log odds.

    Parameters
    ----------
    features : ObjectFeatures

    Returns
    -------
    Verdict
        `mining` is `probability >= 0.5`; the confuser is None for mining.
    """
    terms = [*_water_terms(features), *_growth_terms(features), *_fate_terms(features), *_shape_terms(features)]
    log_odds = -1.0 + sum(weight for weight, _ in terms)
    probability = 1.0 / (1.0 + math.exp(-log_odds))
    mining = probability >= 0.5
    reasons = tuple(reason for weight, reason in sorted(terms, key=lambda term: -abs(term[0])))
    return Verdict(
        mining=mining,
        probability=round(probability, 3),
        confuser=None if mining else _confuser(features),
        type=_type(features) if mining else SiteType.UNKNOWN,
        reasons=reasons,
    )


def _water_terms(f: ObjectFeatures) -> list[tuple[float, str]]:
    percent = round(100 * f.water)
    if f.wet_share >= _WET_SHARE and f.bare >= 0.1:
        return [(2.5, f"bare ground mixed with {percent} % water")]
    if f.wet_share >= _WET_SHARE:
        return [(0.5, f"{percent} % water, little bare ground")]
    return [(-1.0, "no water in it")]


def _growth_terms(f: ObjectFeatures) -> list[tuple[float, str]]:
    if f.n_dates >= 2 and f.growth_days >= _GROWN_DAYS:
        return [(1.5, f"accreted over {round(f.growth_days)} days")]
    if f.growth_days <= _ONE_DAY and f.area_ha >= 0.3:
        return [(-2.0, "appeared at once")]
    return []


def _fate_terms(f: ObjectFeatures) -> list[tuple[float, str]]:
    terms = []
    if f.greened_share >= 0.5:
        terms.append((-2.5, f"{round(100 * f.greened_share)} % of it greened again"))
    if f.persistence < 0.6:
        terms.append((-1.0, "not seen on many clear looks"))
    elif f.persistence >= 0.85:
        terms.append((0.5, "open on nearly every clear look"))
    return terms


def _shape_terms(f: ObjectFeatures) -> list[tuple[float, str]]:
    if f.width_m < _THIN_M and f.length_m > _LONG_M:
        return [(-2.5, f"long and thin ({round(f.length_m)} x {round(f.width_m)} m)")]
    return []


def _confuser(f: ObjectFeatures) -> Confuser:
    if f.width_m < _THIN_M and f.length_m > _LONG_M:
        return Confuser.ROAD
    if f.water > 0.6 and f.bare < 0.1:
        return Confuser.FLOOD
    if f.growth_days <= _ONE_DAY or f.greened_share >= 0.5:
        return Confuser.FARM
    return Confuser.UNKNOWN


def _type(f: ObjectFeatures) -> SiteType:
    if f.turbid >= 0.25:
        return SiteType.WASHING
    return SiteType.EXCAVATION if f.bare >= 0.2 else SiteType.GENERIC
