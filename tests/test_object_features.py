from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomon.footprints import delineate, gather
from geomon.footprints.features import BLIND_DAYS, CHAIN_DAYS, NEVER, all_features
from geomon.footprints.history import with_history
from geomon.footprints.objects import confirmed_objects
from geomon.footprints.pixels import Mesh
from geomon.kernels.attribute import attribute
from geomon.surroundings import Setting
from tests._change import BASELINE, block, context, tiled

DAY = date(2022, 9, 1)
BARE, POND = {"bare": 90, "water": 0, "turbid": 0}, {"bare": 0, "water": 90, "turbid": 60}


def features_of(pixels, place=None):
    """Features of every confirmed object, in the order of the table."""
    table = with_history(gather(tiled(pixels)), BASELINE)
    mesh = Mesh(table)
    objects = confirmed_objects(table, mesh)
    unknown = np.full(len(objects), np.nan)
    place = Setting(unknown, unknown, unknown) if place is None else place
    return all_features(table, mesh, objects, place=place)


def one(pixels):
    (found,) = features_of(pixels)
    return found


def test_cover_is_that_of_its_pixels():
    """Means and shares of bare ground, water and turbid water are those of the object's own pixels."""
    found = one(
        [*block(0, 0, 5, 4, **BARE), *block(0, 4, 5, 4, **POND), *block(0, 8, 5, 2, bare=60, water=10, turbid=5)]
    )
    assert found.bare == pytest.approx((20 * 0.9 + 10 * 0.6) / 50)
    assert found.water == pytest.approx((20 * 0.9 + 10 * 0.1) / 50)
    assert found.turbid == pytest.approx((20 * 0.6 + 10 * 0.05) / 50)
    assert found.wet_share == found.turbid_share == pytest.approx(0.4)
    assert (found.passing, found.standing) == (False, False)


@pytest.mark.parametrize(
    ("pixels", "share"),
    [
        (block(0, 0, 5, 4), 1.0),
        ([*block(0, 0, 4, 4, **BARE), *block(4, 0, 2, 4, **POND)], (3 + 2) / 6),
        (block(0, 0, 6, 4, **BARE), 0.0),
        (block(0, 0, 6, 4, **POND), 0.0),
        ([*block(0, 0, 12, 4, **BARE), *block(12, 0, 12, 4, **POND)], 6 / 24),
    ],
    ids=["all", "pit and pond", "sand", "water", "field by a lake"],
)
def test_ground_is_mixed_where_both_lie_within_three_pixels(pixels, share):
    """Pits and ponds side by side are mixed, the far end of a field by a lake is not, one alone never is."""
    assert one(pixels).mixed_share == pytest.approx(share)


def test_growth_is_told_by_the_days_its_pixels_began():
    """Half at once, the rest month by month: half a burst, the span of the middle four fifths as growth."""
    months = [
        *block(0, 0, 5, 2, first=DAY),
        *[
            px
            for k in range(10)
            for px in block(
                k % 5,
                2 + k // 5,
                1,
                1,
                first=DAY + timedelta(30 * (k + 1)),
                confirmed=date(2023, 10, 1),
                last=date(2023, 12, 1),
            )
        ],
    ]
    found = one(months)
    assert found.burst_share == pytest.approx(0.5)
    assert 200 <= found.growth_days <= 270
    assert one(block(0, 0, 5, 4)).growth_days == 0.0
    assert one(block(0, 0, 5, 4)).burst_share == 1.0


def test_what_begins_within_twelve_days_began_at_once():
    """Looks of two revisits are one burst, the day after them is not."""
    for days, share in ((12, 1.0), (13, 0.5)):
        later = block(0, 2, 5, 2, first=DAY + timedelta(days))
        assert one([*block(0, 0, 5, 2, first=DAY), *later]).burst_share == share


def test_the_gap_is_that_before_the_burst():
    """The median days unseen before the pixels of the burst, whatever others did; never seen before is blind."""
    pixels = [
        *block(0, 0, 5, 3, before=date(2022, 5, 4)),
        *block(0, 3, 5, 1, first=date(2023, 2, 1), before=date(2023, 1, 30)),
    ]
    assert one(pixels).burst_gap_days == 120.0
    assert one(block(0, 0, 5, 4)).burst_gap_days == NEVER


def test_a_blind_season_weakens_that_it_appeared_at_once():
    """Of two objects that differ only in the last clear look before, the one unseen for long is likelier a mine."""
    seen, blind = (
        delineate(gather(tiled(block(0, 0, 6, 6, before=before))), context()).sites.iloc[0]
        for before in (date(2022, 8, 27), date(2022, 5, 1))
    )
    assert blind["confidence"] > seen["confidence"]
    assert sorted(blind["reasons"]) == sorted(seen["reasons"])
    at_once = "100 % of it appeared at once"
    assert blind["reasons"].index(at_once) > seen["reasons"].index(at_once)


def test_fate_is_told_by_later_looks():
    """Looks that show it among those since, and days to the look that undid it, or so far."""
    found = one(block(0, 0, 5, 4, hits=8, last=date(2023, 3, 1)))
    assert found.persistence == pytest.approx(0.8)
    assert found.life_days == (date(2023, 3, 1) - DAY).days
    gone = one(block(0, 0, 5, 4, gone=date(2022, 12, 10)))
    assert gone.passing
    assert gone.life_days == 100


def test_where_it_lies_is_handed_on():
    """Distances, heights and slopes are those of its place, object by object, NaN where unknown."""
    here = Setting(np.array([40.0, np.nan]), np.array([2.0, np.nan]), np.array([7.0, np.nan]))
    found = features_of([*block(0, 0, 4, 4), *block(40, 0, 4, 4)], here)
    assert (found[0].channel_m, found[0].height_m, found[0].slope_deg) == (40.0, 2.0, 7.0)
    assert np.isnan([found[1].channel_m, found[1].height_m, found[1].slope_deg]).all()


# ---------------------------------------------------------------- chains


def pieces(firsts, *, width=1, gap=3, **facts):
    """Thin pieces of 120 m in a row with gaps, each begun on its own day."""
    later = {"confirmed": date(2023, 11, 1), "last": date(2023, 12, 1), **BARE, **facts}
    return [
        px
        for k, first in enumerate(firsts)
        for px in block(k * (12 + gap), 0, 12, width, **{"first": first, "before": first - timedelta(5), **later})
    ]


def test_thin_pieces_of_one_date_are_a_line():
    """Five pieces of 120 m, three pixels apart and begun together, are one road of 720 m and called so."""
    found = features_of(pieces([DAY] * 5))
    assert len(found) == 5
    assert {round(each.chain_m) for each in found} == {710}
    for each in found:
        verdict = attribute(each)
        assert not verdict.mining
        assert verdict.confuser == "road"
        assert any(reason.startswith("part of a line 710 m long") for reason in verdict.reasons)


def test_thin_pieces_of_different_dates_are_no_line():
    """Trenches in a row that were begun season by season are each as long as themselves."""
    found = features_of(pieces([DAY + timedelta((CHAIN_DAYS + 1) * k) for k in range(5)]))
    assert all(each.chain_m == each.length_m for each in found)
    assert all(each.length_m == pytest.approx(120, abs=2) for each in found)
    assert not any("line" in reason for each in found for reason in attribute(each).reasons)


@pytest.mark.parametrize(("unseen", "linked"), [(10, True), (BLIND_DAYS, True), (BLIND_DAYS + 1, False)])
def test_what_began_unseen_is_no_line(unseen, linked):
    """After a season without a clear look all begins on one day: such pieces are each as long as themselves."""
    found = features_of(pieces([DAY] * 5, before=DAY - timedelta(unseen)))
    assert all((each.chain_m > 700) == linked for each in found)
    assert linked or all(each.chain_m == each.length_m for each in found)


def test_scraps_between_pieces_hold_a_line_together():
    """Bits of a road too small to be objects join its pieces; begun in another year they do not."""
    apart = pieces([DAY] * 5, gap=7)
    scraps = [px for k in range(4) for px in block(19 * k + 14, 0, 3, 1, first=DAY, before=DAY - timedelta(5), **BARE)]
    later = [replace(px, first=DAY + timedelta(2 * CHAIN_DAYS), confirmed=date(2023, 11, 1)) for px in scraps]
    assert all(each.chain_m == each.length_m for each in features_of(apart))
    assert all(each.chain_m > 800 for each in features_of([*apart, *scraps]))
    assert all(each.chain_m == each.length_m for each in features_of([*apart, *later]))


@pytest.mark.parametrize(
    "pixels",
    [
        pieces([DAY] * 5, gap=6),
        pieces([DAY] * 5, width=6),
        pieces([DAY] * 5, bare=10, water=80),
    ],
    ids=["far apart", "wide", "water"],
)
def test_what_is_no_chain_is_as_long_as_itself(pixels):
    """Pieces far apart, wide ones, and water without bare ground do not make a road together."""
    assert all(each.chain_m == each.length_m for each in features_of(pixels))


@settings(max_examples=20)
@given(days=st.lists(st.integers(0, 400), min_size=1, max_size=6), gap=st.integers(2, 7))
def test_a_chain_is_never_shorter_than_its_parts(days, gap):
    """Whatever the dates and gaps, a chain is at least as long as each of its pieces and at most the whole row."""
    found = features_of(pieces([DAY + timedelta(day) for day in days], gap=gap))
    assert len(found) == len(days)
    for each in found:
        assert each.length_m <= each.chain_m <= max(each.length_m, 10.0 * (len(days) * (12 + gap)))
