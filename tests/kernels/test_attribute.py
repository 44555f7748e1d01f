"""Laws of attribution: which way each feature pulls, clear cases, and closed vocabularies."""

import inspect
import json
import math
import re
from dataclasses import asdict, replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomon.kernels import attribute as rules
from geomon.kernels.attribute import ObjectFeatures, Verdict, attribute
from geomon.model import Confuser, SiteType

MINE = ObjectFeatures(
    area_ha=1.2,
    bare=0.45,
    water=0.30,
    turbid=0.15,
    wet_share=0.70,
    turbid_share=0.60,
    mixed_share=0.95,
    growth_days=150.0,
    burst_share=0.30,
    burst_gap_days=5.0,
    persistence=0.95,
    passing=False,
    standing=False,
    life_days=300.0,
    width_m=80.0,
    length_m=160.0,
    chain_m=160.0,
)
"""Bare ground and turbid water that accreted over five months and stayed open."""

DRY = {"water": 0.0, "turbid": 0.0, "wet_share": 0.0, "turbid_share": 0.0, "mixed_share": 0.0}
FARM = replace(MINE, **DRY, bare=0.7, growth_days=0.0, burst_share=1.0)
"""A dry block that was cleared on one date."""

GREENED = replace(FARM, passing=True, life_days=200.0, persistence=0.5)
BURN = replace(GREENED, bare=0.3, life_days=50.0)
ROAD = replace(FARM, width_m=35.0, length_m=2500.0, chain_m=2500.0, growth_days=90.0, burst_share=0.4)
PIECE = replace(FARM, width_m=20.0, length_m=90.0, chain_m=900.0)
"""A short piece of a road that was found in pieces."""
FLOOD = replace(
    MINE, bare=0.02, water=0.9, turbid=0.0, turbid_share=0.0, wet_share=1.0, growth_days=3.0, burst_share=1.0
)
SANDBANK = replace(MINE, passing=True, channel_m=40.0, mixed_share=0.2, persistence=0.3)
"""Sand and turbid water by the river, gone with the next flood."""
VILLAGE = replace(MINE, **DRY)
"""Dry ground that was opened bit by bit and stays open."""
PUZZLE = replace(VILLAGE, persistence=0.6, bare=0.3)

RIVER = replace(MINE, bare=0.05, mixed_share=0.3, standing=True, width_m=90.0, length_m=3000.0, chain_m=3000.0)

LOOK_ALIKES = {
    "farm": (FARM, Confuser.FARM),
    "greened": (GREENED, Confuser.FARM),
    "burn": (BURN, Confuser.BURN),
    "road": (ROAD, Confuser.ROAD),
    "piece": (PIECE, Confuser.ROAD),
    "flood": (FLOOD, Confuser.FLOOD),
    "river": (RIVER, Confuser.FLOOD),
    "sandbank": (SANDBANK, Confuser.SANDBANK),
    "village": (VILLAGE, Confuser.SETTLEMENT),
    "standing village": (replace(VILLAGE, standing=True, burst_share=0.0), Confuser.SETTLEMENT),
    "puzzle": (PUZZLE, Confuser.UNKNOWN),
}

shares = st.floats(0, 1)
days = st.floats(0, 2000)
lengths = st.floats(0, 20_000)
widths = st.floats(1, 20_000)
"""A region of pixels has a width of one pixel at least."""
maybe = {
    "channel_m": st.one_of(st.just(math.nan), st.floats(0, 20_000)),
    "height_m": st.one_of(st.just(math.nan), st.floats(0, 300)),
    "slope_deg": st.one_of(st.just(math.nan), st.floats(0, 80)),
}
anything = st.builds(
    ObjectFeatures,
    area_ha=st.floats(0, 500),
    bare=shares,
    water=shares,
    turbid=shares,
    wet_share=shares,
    turbid_share=shares,
    mixed_share=shares,
    growth_days=days,
    burst_share=shares,
    burst_gap_days=days,
    persistence=shares,
    passing=st.booleans(),
    standing=st.booleans(),
    life_days=days,
    width_m=widths,
    length_m=lengths,
    chain_m=lengths,
    **maybe,
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


@pytest.mark.parametrize(("features", "confuser"), LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_look_alikes_are_called_by_name(features: ObjectFeatures, confuser: Confuser) -> None:
    """A dry block of one date is a farm, what greens soon a burn, long and thin a road, water alone a flood, sand and
    mud that go a sandbank, dry ground that stays a settlement, and what resembles none is unknown: nobody guesses.
    """
    verdict = attribute(features)
    assert not verdict.mining
    assert verdict.confuser == confuser
    assert verdict.type == SiteType.UNKNOWN


def test_every_confuser_that_can_be_named_has_its_look_alike() -> None:
    """The confusers that attribution may answer are those above: a new one without a case fails here."""
    named = set(re.findall(r"Confuser\.([A-Z_]+)", inspect.getsource(rules._confuser)))
    assert {confuser.name for _, confuser in LOOK_ALIKES.values()} == named


@given(features=anything)
def test_no_other_confuser_is_named(features: ObjectFeatures) -> None:
    """Whatever it is asked about, attribution names no confuser that it has no rule for."""
    assert attribute(features).confuser in {None, *(confuser for _, confuser in LOOK_ALIKES.values())}


# ---------------------------------------------------------------- reasons


@pytest.mark.parametrize(
    ("features", "reasons"),
    [
        (MINE, ["bare ground mixed with 30 % water, some of it turbid", "accreted over 150 days"]),
        (FARM, ["bare ground with 0 % water, hardly any of it turbid", "100 % of it appeared at once"]),
        (GREENED, ["bare ground with 0 % water, hardly any of it turbid", "gone after 200 days"]),
        (ROAD, ["long and thin (2500 x 35 m)"]),
        (PIECE, ["part of a line 900 m long and 20 m wide"]),
        (FLOOD, ["90 % water with little bare ground"]),
        (replace(PUZZLE, persistence=0.2), ["bare ground with 0 % water, hardly any of it turbid"]),
    ],
)
def test_the_reason_comes_first_that_weighs_most(features: ObjectFeatures, reasons: list[str]) -> None:
    """The first reasons are those that decided, and each names the number that was seen."""
    assert list(attribute(features).reasons)[: len(reasons)] == reasons


@given(features=anything)
def test_reasons_stand_in_the_order_of_their_weights(features: ObjectFeatures) -> None:
    """Every term of the sum is a reason, from the heaviest to the lightest, whichever way it pulls."""
    terms = [
        *rules._water_terms(features),
        *rules._cover_terms(features),
        *rules._growth_terms(features),
        *rules._fate_terms(features),
        *rules._shape_terms(features),
        *rules._place_terms(features),
    ]
    weight = {reason: abs(value) for value, reason in terms}
    reasons = attribute(features).reasons
    assert sorted(reasons) == sorted(weight)
    assert [weight[reason] for reason in reasons] == sorted(weight.values(), reverse=True)


def test_every_fact_that_counts_is_told_with_its_number() -> None:
    """Fate, place and what was open before are reasons in words; what says nothing is no reason."""
    told = attribute(
        replace(MINE, persistence=0.2, passing=True, life_days=77.0, channel_m=42.0, height_m=3.0, slope_deg=21.0)
    ).reasons
    wanted = {
        "gone after 77 days",
        "not seen on many clear looks",
        "42 m from a channel",
        "3 m above the drainage",
        "on a slope of 21 degrees",
    }
    assert wanted <= set(told)
    quiet = replace(MINE, persistence=0.6, channel_m=500.0, height_m=40.0, slope_deg=3.0)
    assert len(attribute(quiet).reasons) == 2
    assert "2300 m from a channel" in attribute(replace(MINE, channel_m=2300.0)).reasons
    assert (
        "open at the greenest time of the baseline, no change seen since"
        in attribute(replace(MINE, standing=True)).reasons
    )


def test_types_follow_the_water() -> None:
    """A mine with much turbid water washes, one with bare ground digs, one with neither is generic."""
    types = [attribute(replace(MINE, turbid=t, bare=b)).type for t, b in ((0.4, 0.4), (0.1, 0.4), (0.1, 0.1))]
    assert types == [SiteType.WASHING, SiteType.EXCAVATION, SiteType.GENERIC]


# ---------------------------------------------------------------- which way features pull


@given(features=anything, other=shares)
@pytest.mark.parametrize("name", ["wet_share", "turbid_share", "mixed_share", "bare", "persistence"])
def test_more_never_makes_it_less_of_a_mine(name: str, features: ObjectFeatures, other: float) -> None:
    """More water, turbid water, mixture, bare ground and looks that show it: none lowers the probability, all else
    equal.
    """
    low, high = sorted((getattr(features, name), other))
    assert probability(replace(features, **{name: low})) <= probability(replace(features, **{name: high}))


@given(features=anything, other=shares)
def test_a_burst_never_makes_it_more_of_a_mine(features: ObjectFeatures, other: float) -> None:
    """The more of it appeared at once, the less it is a mine, all else equal."""
    low, high = sorted((features.burst_share, other))
    assert probability(replace(features, burst_share=low)) >= probability(replace(features, burst_share=high))


@given(features=anything, other=days)
def test_a_burst_says_less_the_longer_nothing_was_seen_before_it(features: ObjectFeatures, other: float) -> None:
    """A longer gap before a burst never makes it less of a mine, and after ninety days the burst says nothing."""
    low, high = sorted((features.burst_gap_days, other))
    assert probability(replace(features, burst_gap_days=low)) <= probability(replace(features, burst_gap_days=high))
    blind = replace(features, burst_share=1.0, burst_gap_days=90.0)
    assert probability(blind) == probability(replace(features, burst_share=0.75, burst_gap_days=0.0))


@given(features=anything, other=st.floats(0, 500))
def test_a_larger_object_is_no_less_of_a_mine(features: ObjectFeatures, other: float) -> None:
    """Houses, road ends and field corners are small: a larger area never lowers the probability, all else equal."""
    low, high = sorted((features.area_ha, other))
    assert probability(replace(features, area_ha=low)) <= probability(replace(features, area_ha=high))


@given(features=anything, other=days)
def test_longer_growth_never_makes_it_less_of_a_mine(features: ObjectFeatures, other: float) -> None:
    """The longer it grew the more it is a mine, all else equal."""
    low, high = sorted((features.growth_days, other))
    assert probability(replace(features, growth_days=low)) <= probability(replace(features, growth_days=high))


@given(features=anything, other=widths)
def test_a_wider_object_is_no_less_of_a_mine(features: ObjectFeatures, other: float) -> None:
    """At the same length the wider object is never less of a mine: it is less of a road."""
    low, high = sorted((features.width_m, other))
    assert probability(replace(features, width_m=low)) <= probability(replace(features, width_m=high))


@given(features=anything, other=lengths)
@pytest.mark.parametrize("name", ["length_m", "chain_m"])
def test_a_longer_object_or_chain_is_no_more_of_a_mine(name: str, features: ObjectFeatures, other: float) -> None:
    """At the same width the longer object, or the member of the longer chain, is never more of a mine."""
    low, high = sorted((getattr(features, name), other))
    assert probability(replace(features, **{name: low})) >= probability(replace(features, **{name: high}))


@given(features=anything)
def test_what_passed_is_less_of_a_mine(features: ObjectFeatures) -> None:
    """What later looks undid within months is never more of a mine for it; dry, it is none."""
    gone = replace(features, passing=True)
    assert probability(gone) <= probability(replace(features, passing=False))
    assert not attribute(replace(gone, **DRY)).mining


@given(features=anything)
def test_dry_ground_is_no_mine(features: ObjectFeatures) -> None:
    """Bare ground without any water that appeared at once or was there before is no mine, whatever its shape."""
    assert not attribute(replace(features, **DRY, standing=True)).mining
    assert not attribute(replace(features, **DRY, standing=False, burst_share=1.0, burst_gap_days=0.0)).mining


# ---------------------------------------------------------------- where it lies


@given(features=anything)
def test_what_is_not_known_of_a_place_says_nothing(features: ObjectFeatures) -> None:
    """NaN weighs as much as a place that is neither near nor far, low nor steep, and gives no reason."""
    bare = {field: value for field, value in asdict(features).items() if field not in maybe}
    unknown = attribute(ObjectFeatures(**bare))
    assert unknown == attribute(ObjectFeatures(**bare, channel_m=math.nan, height_m=math.nan, slope_deg=math.nan))
    assert unknown == attribute(ObjectFeatures(**bare, channel_m=500.0, height_m=40.0, slope_deg=5.0))


@given(features=anything)
def test_places_weigh_little(features: ObjectFeatures) -> None:
    """All that is known of a place together raises the log odds by at most 0.6 and lowers them by less than 1."""
    total = sum(weight for weight, _ in rules._place_terms(features))
    assert -1.0 < total <= 0.6


@given(features=anything, other=st.floats(0, 20_000))
def test_nearer_a_channel_is_never_less_of_a_mine(features: ObjectFeatures, other: float) -> None:
    """All else equal, ground nearer a channel, lower above it or flatter is never less of a mine."""
    far = replace(features, channel_m=math.nan)
    near, away = sorted((0.0 if math.isnan(features.channel_m) else features.channel_m, other))
    assert probability(replace(far, channel_m=near)) >= probability(replace(far, channel_m=away))
    for name, low, high in (("height_m", 2.0, 60.0), ("slope_deg", 1.0, 30.0)):
        assert probability(replace(features, **{name: low})) >= probability(replace(features, **{name: high}))


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
        attribute(ObjectFeatures(area_ha, b, w, w, s, s, m, g, u, g, p, passing, standing, g, width, length, length))
        for b, w, s, m, u, p in product((0.0, 1.0), repeat=6)
        for g in (0.0, 5000.0)
        for passing, standing in product((False, True), repeat=2)
        for width, length in ((10.0, 10.0), (10.0, 50_000.0), (3000.0, 3000.0))
    ]
    assert all(math.isfinite(verdict.probability) for verdict in ends)
    assert {verdict.mining for verdict in ends} == {False, True}
