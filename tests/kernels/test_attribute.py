"""Laws of attribution: which way each feature pulls, clear cases, and closed vocabularies."""

import json
import math
from dataclasses import asdict, replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomon.kernels.attribute import ObjectFeatures, Verdict, attribute
from geomon.model import Confuser, SiteType

MINE = ObjectFeatures(
    area_ha=1.2,
    bare=0.45,
    water=0.30,
    turbid=0.15,
    wet_share=0.70,
    turbid_share=0.60,
    growth_days=150.0,
    burst_share=0.30,
    persistence=0.95,
    passing=False,
    life_days=300.0,
    width_m=80.0,
    length_m=160.0,
)
"""Bare ground and turbid water that accreted over five months and stayed open."""

FARM = replace(MINE, bare=0.7, water=0.0, turbid=0.0, wet_share=0.0, turbid_share=0.0, growth_days=0.0, burst_share=1.0)
"""A dry block that was cleared on one date."""

GREENED = replace(FARM, passing=True, life_days=200.0, persistence=0.5)
BURN = replace(GREENED, bare=0.3, life_days=50.0)
ROAD = replace(FARM, width_m=20.0, length_m=2500.0, growth_days=90.0, burst_share=0.4)
FLOOD = replace(
    MINE, bare=0.02, water=0.9, turbid=0.0, turbid_share=0.0, wet_share=1.0, growth_days=3.0, burst_share=1.0
)
PUZZLE = replace(FARM, growth_days=30.0, burst_share=0.75, persistence=0.5, bare=0.3, width_m=60.0, length_m=90.0)

shares = st.floats(0, 1)
days = st.floats(0, 2000)
lengths = st.floats(0, 20_000)
anything = st.builds(
    ObjectFeatures,
    area_ha=st.floats(0, 500),
    bare=shares,
    water=shares,
    turbid=shares,
    wet_share=shares,
    turbid_share=shares,
    growth_days=days,
    burst_share=shares,
    persistence=shares,
    passing=st.booleans(),
    life_days=days,
    width_m=lengths,
    length_m=lengths,
)


def probability(features: ObjectFeatures) -> float:
    return attribute(features).probability


# ---------------------------------------------------------------- clear cases


def test_bare_ground_and_water_that_accretes_is_mining() -> None:
    """A mixture of bare ground and turbid water that grew over months is mining, and says so."""
    verdict = attribute(MINE)
    assert verdict.mining
    assert verdict.probability > 0.8
    assert verdict.confuser is None
    assert any("water" in reason for reason in verdict.reasons)
    assert any("accreted over 150 days" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("features", "confuser"),
    [
        (FARM, Confuser.FARM),
        (GREENED, Confuser.FARM),
        (BURN, Confuser.BURN),
        (ROAD, Confuser.ROAD),
        (FLOOD, Confuser.FLOOD),
    ],
    ids=["farm", "greened", "burn", "road", "flood"],
)
def test_look_alikes_are_called_by_name(features: ObjectFeatures, confuser: Confuser) -> None:
    """A dry block of one date is a farm, what greens soon a burn, long and thin a road, water alone a flood."""
    verdict = attribute(features)
    assert not verdict.mining
    assert verdict.confuser == confuser
    assert verdict.type == SiteType.UNKNOWN


def test_a_look_alike_of_none_is_unknown() -> None:
    """What is not mining and resembles no confuser is called unknown: nobody guesses."""
    verdict = attribute(PUZZLE)
    assert not verdict.mining
    assert verdict.confuser == Confuser.UNKNOWN


def test_the_reason_comes_first_that_weighs_most() -> None:
    """The first reason is the one that decided: thinness for a road, its end for what greened."""
    assert attribute(ROAD).reasons[0].startswith("long and thin (2500 x 20 m)")
    assert attribute(GREENED).reasons[0] == "gone after 200 days"


def test_types_follow_the_water() -> None:
    """A mine with much turbid water washes, one with bare ground digs, one with neither is generic."""
    types = [attribute(replace(MINE, turbid=t, bare=b)).type for t, b in ((0.4, 0.4), (0.1, 0.4), (0.1, 0.1))]
    assert types == [SiteType.WASHING, SiteType.EXCAVATION, SiteType.GENERIC]


# ---------------------------------------------------------------- which way features pull


@given(features=anything, other=shares)
@pytest.mark.parametrize("name", ["wet_share", "turbid_share", "persistence"])
def test_more_never_makes_it_less_of_a_mine(name: str, features: ObjectFeatures, other: float) -> None:
    """More water, more turbid water and more looks that show it: none lowers the probability, all else equal."""
    low, high = sorted((getattr(features, name), other))
    assert probability(replace(features, **{name: low})) <= probability(replace(features, **{name: high}))


@given(features=anything, other=shares)
def test_a_burst_never_makes_it_more_of_a_mine(features: ObjectFeatures, other: float) -> None:
    """The more of it appeared at once, the less it is a mine, all else equal."""
    low, high = sorted((features.burst_share, other))
    assert probability(replace(features, burst_share=low)) >= probability(replace(features, burst_share=high))


@given(features=anything, other=days)
def test_longer_growth_never_makes_it_less_of_a_mine(features: ObjectFeatures, other: float) -> None:
    """The longer it grew the more it is a mine, all else equal."""
    low, high = sorted((features.growth_days, other))
    assert probability(replace(features, growth_days=low)) <= probability(replace(features, growth_days=high))


@given(features=anything, other=lengths)
def test_a_wider_object_is_no_less_of_a_mine(features: ObjectFeatures, other: float) -> None:
    """At the same length the wider object is never less of a mine: it is less of a road."""
    low, high = sorted((features.width_m, other))
    assert probability(replace(features, width_m=low)) <= probability(replace(features, width_m=high))


@given(features=anything)
def test_what_passed_is_less_of_a_mine(features: ObjectFeatures) -> None:
    """What later looks undid within months is not mining, whatever else it was like."""
    gone = attribute(replace(features, passing=True))
    assert not gone.mining
    assert gone.probability <= probability(replace(features, passing=False))


# ---------------------------------------------------------------- the answer's form


@given(features=anything)
def test_answers_are_well_formed(features: ObjectFeatures) -> None:
    """A probability within 0-1 on the verdict's side of a half; a confuser exactly where it is not mining; a reason."""
    verdict = attribute(features)
    assert 0 <= verdict.probability <= 1
    assert verdict.probability >= 0.5 if verdict.mining else verdict.probability <= 0.5
    assert (verdict.confuser is None) == verdict.mining
    assert verdict.confuser is None or verdict.confuser in set(Confuser)
    assert verdict.type in set(SiteType)
    assert verdict.mining or verdict.type == SiteType.UNKNOWN
    assert verdict.reasons
    assert all(reason and "nan" not in reason for reason in verdict.reasons)
    assert len(set(verdict.reasons)) == len(verdict.reasons)


@given(features=anything)
def test_answers_survive_json(features: ObjectFeatures) -> None:
    """A verdict is plain numbers and texts: written as JSON and read again it is the same."""
    verdict = attribute(features)
    read = json.loads(json.dumps(asdict(verdict), allow_nan=False))
    assert read == {**asdict(verdict), "reasons": list(verdict.reasons)}


def test_the_same_features_have_the_same_answer() -> None:
    """Attribution keeps no memory."""
    assert attribute(MINE) == attribute(replace(MINE)) == attribute(MINE)


@pytest.mark.parametrize("area_ha", [0.1, 1.0, 100.0])
def test_extremes_are_answered(area_ha: float) -> None:
    """Features at the ends of their ranges, all combinations, give a finite probability and no error."""
    ends: list[Verdict] = [
        attribute(ObjectFeatures(area_ha, b, w, w, s, s, g, u, p, passing, g, width, length))
        for b, w, s, u, p in product((0.0, 1.0), repeat=5)
        for g in (0.0, 5000.0)
        for passing in (False, True)
        for width, length in ((0.0, 0.0), (5.0, 50_000.0), (3000.0, 3000.0))
    ]
    assert all(math.isfinite(verdict.probability) for verdict in ends)
    assert {verdict.mining for verdict in ends} == {False, True}
