"""How `benchmarks/accuracy.py` scores, on arrays small enough to count by hand."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from benchmarks._intervals import bootstrap, poisson, ratio, wilson
from benchmarks._scoring import (
    NO_ROW,
    Delay,
    Footprint,
    Mapped,
    Truth,
    clusters,
    delay,
    first_group,
    nth_clear,
    polygons,
    quarters,
    score,
    size_class,
    true_objects,
)

SIDE = 12
LOOK_DAYS = np.arange(100, 200, 10, dtype=np.int32)


def ints(**blocks: tuple[slice, slice, int]) -> np.ndarray:
    """A square of zeros with some blocks filled."""
    out = np.zeros((SIDE, SIDE), dtype=np.int32)
    for rows, columns, value in blocks.values():
        out[rows, columns] = value
    return out


@pytest.fixture
def truth() -> Truth:
    """Ten pixels, 2 x 5 in a corner, one dug a day from day 120 on, each whole; every look is clear."""
    dug_on = np.zeros((SIDE, SIDE), dtype=np.int32)
    dug_on[:2, :5] = 120 + np.arange(10).reshape(2, 5)
    share = (dug_on > 0).astype(np.float32)
    return Truth(share, share.copy(), dug_on, np.ones((len(LOOK_DAYS), SIDE, SIDE), dtype=bool), LOOK_DAYS)


def mapped(number: np.ndarray, *footprints: Footprint, candidate: int = 130, confirmed: int = 160) -> Mapped:
    """Footprints that all have the same days."""
    on = number > 0
    days = (np.where(on, day, 0).astype(np.int32) for day in (candidate, confirmed))
    return Mapped(number, *days, footprints or (FOOTPRINT,) * int(number.max()))


FOOTPRINT = Footprint(0.1, 0.08, 0.12, 0.1, ())
CORNER = (slice(0, 2), slice(0, 5), 1)
FAR = (slice(8, 10), slice(8, 10), 2)


def test_group_must_be_connected() -> None:
    """Pixels that only together are enough do not make a group; the day is that of the pixel that joins them."""
    days = np.array([[1, 2, 9, 3, 4]], dtype=np.int32)
    group = first_group(days, days > 0, needed=4)
    assert group is not None
    assert group.day == 9
    assert group.pixels.all()
    assert first_group(days, days < 9, needed=3) is None


def test_group_joins_over_corners_and_leaves_out_what_comes_later() -> None:
    """Connection is over eight neighbours; the founding pixels are those dug by the day, day 0 being never."""
    days = np.array([[5, 0, 0], [0, 6, 0], [0, 0, 8]], dtype=np.int32)
    group = first_group(days, np.ones((3, 3), dtype=bool), needed=2)
    assert group is not None
    assert group.day == 6
    assert group.pixels.sum() == 2
    assert first_group(days, np.ones((3, 3), dtype=bool), needed=4) is None


def test_third_clear_look_counts_from_the_day_of_digging(truth: Truth) -> None:
    """A look on the day of digging counts, a cloudy one does not, and fewer than three looks are never."""
    truth.clear[3, 0, 0] = False
    truth.clear[5:, 0, 1] = False
    third = nth_clear(truth)
    assert third[0, 0] == 150  # dug 120: looks 120, 140, 150
    assert third[0, 1] == 0  # dug 121: looks 130, 140
    assert third[1, 4] == 150  # dug 129: looks 130, 140, 150
    assert third[5, 5] == 0


@pytest.mark.parametrize(
    ("start", "event", "counts", "expected"),
    [
        (120, 140, True, Delay(20, 3.0)),
        (120, 140, False, Delay(20, 2.0)),
        (121, 140, True, Delay(19, 2.0)),
        (140, 120, True, Delay(-20, -1.0)),
        (140, 120, False, Delay(-20, -2.0)),
        (150, 150, False, Delay(0, 0.0)),
    ],
)
def test_delay_counts_days_and_looks(truth: Truth, start: int, event: int, counts: bool, expected: Delay) -> None:
    """The look on the event's day counts, that on the start's day only when asked; an earlier event is negative."""
    assert delay(truth, truth.new > 0, start, event, start_counts=counts) == expected


def test_delay_takes_the_median_pixel(truth: Truth) -> None:
    """Looks are counted by pixel: a cloud over less than half of the founding pixels changes nothing."""
    truth.clear[:, :1, :4] = False
    assert delay(truth, truth.new > 0, 120, 140, start_counts=True) == Delay(20, 3.0)
    truth.clear[:, :2, :4] = False
    assert delay(truth, truth.new > 0, 120, 140, start_counts=True) == Delay(20, 0.0)


def test_object_is_timed_from_its_tenth_pixel(truth: Truth) -> None:
    """Ten pixels on day 129; candidate, confirmed, and the day on which the last one had its third look."""
    (one,) = true_objects(truth, mapped(ints(a=CORNER)))
    assert one.px == 10
    assert one.found
    assert one.candidate == Delay(1, 1.0)
    assert one.confirmed == Delay(31, 4.0)
    assert one.honest == Delay(21, 3.0)
    assert one.after_honest == Delay(10, 1.0)


def test_object_is_found_from_a_quarter_and_timed_when_touched(truth: Truth) -> None:
    """Two of ten pixels are a touch, three a find; no touch has no delay, and small objects none at all."""
    touched, found = (true_objects(truth, mapped(ints(a=(slice(0, 1), slice(0, width), 1))))[0] for width in (2, 3))
    assert (touched.found, found.found) == (False, True)
    assert touched.confirmed is not None
    (missed,) = true_objects(truth, mapped(ints()))
    assert (missed.found, missed.candidate, missed.confirmed, missed.after_honest) == (False, None, None, None)
    assert missed.honest == Delay(21, 3.0)
    small = replace(truth, new=np.where(ints(a=(slice(0, 1), slice(0, 5), 1)) > 0, truth.new, 0))
    assert true_objects(small, mapped(ints(a=CORNER)))[0].honest is None


def test_clusters_sort_pixels(truth: Truth) -> None:
    """Hits, misses and false pixels are counted; partly dug ground apart, older ground not at all."""
    number = ints(a=(slice(0, 3), slice(0, 4), 1), b=FAR)
    truth.ever[2, 0] = 0.2  # partly dug
    truth.ever[2, 1] = 1.0  # older
    found = clusters(truth, mapped(number))
    assert len(found) == 2
    assert [(one.hit_px, one.missed_px, one.false_px, one.partly_px) for one in found] == [(8, 2, 2, 1), (0, 0, 4, 0)]
    assert found[0].true_new_ha == pytest.approx(0.1)
    assert found[0].true_ha == pytest.approx(0.112)
    assert found[0].true_under_ha == pytest.approx(0.092)
    assert (found[0].mapped_new_ha, found[0].mapped_ha) == (0.1, 0.1)


def test_parts_of_one_footprint_are_one_cluster(truth: Truth) -> None:
    """What a footprint spans hangs together; missed ground stands alone; a footprint without pixels is kept."""
    far = (*FAR[:2], 1)
    assert len(clusters(truth, mapped(ints(a=CORNER, b=far)))) == 1
    assert len(clusters(truth, mapped(ints(b=far)))) == 2
    assert len(clusters(truth, mapped(ints(a=CORNER), FOOTPRINT, FOOTPRINT))) == 2
    assert len(clusters(truth, mapped(ints()))) == 1


def test_polygon_is_right_on_any_dug_ground(truth: Truth) -> None:
    """Older or partly dug ground under it makes it right, beside it not; its true area takes in the rim."""
    truth.ever[7, 8] = 0.5  # touches the far footprint, from outside
    near, far = polygons(truth, mapped(ints(a=(slice(0, 1), slice(0, 5), 1), b=FAR)))
    assert (near.right, far.right) == (True, False)
    assert near.true_ha == pytest.approx(0.1)  # the second row touches it
    assert far.true_ha == pytest.approx(0.005)
    truth.ever[8, 8] = 0.01
    assert polygons(truth, mapped(ints(b=(*FAR[:2], 1))))[0].right


def test_quarters_pair_digging_with_activity(truth: Truth) -> None:
    """A quarter is dug when a pixel under the footprint was newly dug in it, ends included; false ones do not count."""
    told = replace(FOOTPRINT, quarters=[(90, 119, NO_ROW), (120, 120, "new"), (129, 150, "active"), (151, 180, "x")])
    counts = quarters(truth, mapped(ints(a=CORNER, b=FAR), told, told))
    assert counts == Counter({(False, NO_ROW): 1, (True, "new"): 1, (True, "active"): 1, (False, "x"): 1})


def test_nothing_mapped_and_nothing_dug_scores_nothing(truth: Truth) -> None:
    """An empty landscape has no records of any sort."""
    none = np.zeros_like(truth.new)
    empty = replace(truth, new=none, ever=none, new_dug_on=none.astype(np.int32))
    assert score(empty, mapped(ints())) == {"clusters": [], "objects": [], "polygons": [], "quarters": []}


def test_size_classes_hold_their_lower_edge() -> None:
    """0.1 ha as ten times a hundredth is in the first class, less is in none."""
    assert [size_class(area, (0.1, 0.3, 1.0)) for area in (0.09, 10 * 0.01, 0.29, 30 * 0.01, 5.0)] == [-1, 0, 0, 1, 2]


def test_intervals_are_those_of_the_books() -> None:
    """Wilson for 0 of 10 and 9 of 10; Poisson for 0 and 3 events; nothing for no trials."""
    assert wilson(0, 10)[1:] == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(9, 10)[1:] == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert poisson(0, 2.0)[1:] == pytest.approx((0.0, 3.6889 / 2), abs=1e-4)
    assert poisson(3, 1.0)[1:] == pytest.approx((0.6187, 8.7673), abs=1e-4)
    assert np.isnan(wilson(0, 0).value)


def test_bootstrap_holds_the_figure_and_repeats() -> None:
    """The interval of equal records has no width, that of others holds the figure; the same records give the same."""
    assert bootstrap([3.0] * 5, lambda t: float(t.mean())) == (3.0, 3.0, 3.0)
    once, again = (bootstrap(np.arange(20.0), lambda t: float(np.median(t))) for _ in range(2))
    assert once == again
    assert once.low < once.value < once.high
    assert np.isnan(bootstrap([], lambda t: ratio(1, 0)).value)
