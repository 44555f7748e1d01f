"""One contract for every detector, on small hand-made series; then what detectors share."""

import io
from collections.abc import Sequence
from datetime import date
from functools import reduce
from typing import Any

import numpy as np
import pytest

from geomon.change import DETECTORS, Baseline, Detector, Spans, State, common_bands, make_detector, mark_month
from geomon.change.sequential import WARM_DAYS, _moment
from geomon.errors import DataError
from geomon.kernels.quality import CLEAR, CLOUDED, MISSING, NODATA
from geomon.kernels.spectra import FLOOR, NODATA_REFLECTANCE
from geomon.model import BANDS, AlertStatus, Period, from_day, to_day
from geomon.schema import LAYERS
from tests.synthetic import (
    BASELINE_DAYS,
    MONITOR_DAYS,
    SAVANNA,
    SPANS,
    Look,
    Pixel,
    baseline_of,
    burn,
    cloud,
    haze,
    pit,
    shadow,
    small_cloud,
    watch,
)

DUG = MONITOR_DAYS[9]
AS_OF = MONITOR_DAYS[-1]
FOUND_WITHIN = 4
"""Clear looks from the first that shows a pit to the one that confirms it, for every detector."""

FEW = {"sequential": 0.001, "ewma_ndvi": 0.01}
"""Share of undisturbed pixels with an alarm in 36 looks of white noise.

The chart leaves its limit of 4 sigma by chance once in 16,000 looks, which makes 0.2 % of pixels a year; a scale and a
season estimated from 54 looks make that 0.4-0.7 % (8,000 pixels each of forest and savanna). The ladder's scale has a
floor at twice this noise and it asks three looks of four to show one mixture: it raised none in 16,000.
"""

FORESTED, GRASSY = Pixel(), Pixel(SAVANNA)
VALLEY = (
    FORESTED,
    GRASSY,
    Pixel(happenings=(pit(DUG),)),
    Pixel(SAVANNA, (pit(DUG),)),
    Pixel(happenings=(cloud(DUG, days=60),)),
    Pixel(happenings=(haze(DUG),)),
    Pixel(happenings=(shadow(DUG),)),
    Pixel(SAVANNA, (burn(DUG),)),
    Pixel(happenings=(small_cloud(DUG, days=60),)),
    Pixel(happenings=(pit(DUG, sand=0.3, turbid=0.0), cloud(DUG + 40, days=90))),
    Pixel(happenings=(cloud(BASELINE_DAYS[0], days=1000), pit(DUG))),
    Pixel(happenings=(pit(DUG, sand=0.0, turbid=0.9),)),
)
"""Two rows of six pixels, one for each thing that may happen."""
SHAPE = (2, 6)

every_detector = pytest.mark.parametrize("name", DETECTORS)


def fitted(name: str, pixels: Sequence[Pixel], **kwargs: Any) -> tuple[Detector, State]:
    """A detector and its state before the first look of the monitor."""
    bands = kwargs.setdefault("bands", BANDS)
    looks = watch(pixels, BASELINE_DAYS, rng=np.random.default_rng(1), **kwargs)
    detector = make_detector(name, bands, SPANS)
    return detector, detector.fit(baseline_of(looks, bands=bands))


def monitored(pixels: Sequence[Pixel], days: Sequence[int] = MONITOR_DAYS, **kwargs: Any) -> list[Look]:
    return watch(pixels, days, rng=np.random.default_rng(2), **kwargs)


def layers_of(name: str, pixels: Sequence[Pixel], days: Sequence[int] = MONITOR_DAYS, **kwargs: Any) -> dict[str, Any]:
    """Change layers after all looks."""
    detector, state = fitted(name, pixels, **kwargs)
    return detector.layers(reduce(detector.apply, monitored(pixels, days, **kwargs), state), as_of=AS_OF)


def same_bits(left: State, right: State) -> bool:
    return left.keys() == right.keys() and all(
        left[key].dtype == right[key].dtype
        and np.array_equal(left[key], right[key], equal_nan=left[key].dtype.kind == "f")
        for key in left
    )


def blind(day: int, code: int, shape: tuple[int, int] = SHAPE) -> Look:
    """A look without a clear pixel, its numbers those of bright sand so that only the quality can save it."""
    number = NODATA_REFLECTANCE if code in (NODATA, MISSING) else 4000
    return Look(day, np.full((len(BANDS), *shape), number, np.int16), np.full(shape, code, np.uint8))


# ---------------------------------------------------------------- the contract


@every_detector
def test_stationary_noise_gives_few_alarms(name: str) -> None:
    """A year of undisturbed forest and savanna raises an alarm, confirmed or not, on no more pixels than FEW says."""
    found = layers_of(name, [FORESTED, GRASSY] * 1000, shape=(40, 50))
    assert np.mean(found["alert"] != 0) <= FEW[name]


@every_detector
@pytest.mark.parametrize("ground", [FORESTED, GRASSY], ids=["forest", "savanna"])
@pytest.mark.parametrize("clouded", [(), tuple(DUG + 10 * i for i in (1, 2, 5))], ids=["clear", "clouded"])
def test_a_pit_is_found_in_time_and_not_before(name: str, ground: Pixel, clouded: Sequence[int]) -> None:
    """A step at d is confirmed within FOUND_WITHIN clear looks and dated between d and that look; before d, nothing."""
    pixel = Pixel(ground.ground, (pit(DUG), *(cloud(day) for day in clouded)))
    detector, state = fitted(name, [pixel] * 20)
    clear_looks = 0
    for look in monitored([pixel] * 20):
        state = detector.apply(state, look)
        clear_looks += look.day >= DUG and look.day not in clouded
        found = detector.layers(state, as_of=look.day)
        if look.day < DUG:
            assert not (found["alert"] == AlertStatus.CONFIRMED).any()
            assert not found["confirmed_on"].any()
        if clear_looks == FOUND_WITHIN:
            break
    assert (found["alert"] == AlertStatus.CONFIRMED).all()
    assert (found["first_seen"] >= DUG).all()
    assert (found["first_seen"] <= found["confirmed_on"]).all()
    assert (found["confirmed_on"] <= look.day).all()


@every_detector
@pytest.mark.parametrize("code", [NODATA, MISSING, CLOUDED])
def test_what_is_not_seen_gives_no_alert(name: str, code: int) -> None:
    """A monitor of no data, failed reads or cloud alone counts no clear look and tells of nothing."""
    detector, state = fitted(name, [FORESTED] * 12, shape=SHAPE)
    found = detector.layers(reduce(detector.apply, [blind(day, code) for day in MONITOR_DAYS], state), as_of=AS_OF)
    for layer in ("alert", "first_seen", "confirmed_on", "last_seen", "last_clear", "n_clear", "n_hits", "seen_months"):
        assert not found[layer].any()


@every_detector
def test_without_a_baseline_nothing_is_judged(name: str) -> None:
    """A pixel that was never seen clear in the baseline gives no alert, whatever is dug there, and has no score."""
    detector = make_detector(name, BANDS, SPANS)
    pixels = [Pixel(happenings=(pit(DUG),))] * 12
    state = detector.fit(baseline_of([blind(day, CLOUDED) for day in BASELINE_DAYS]))
    found = detector.layers(reduce(detector.apply, monitored(pixels, shape=SHAPE), state), as_of=AS_OF)
    assert not found["alert"].any()
    assert not found["n_clear_baseline"].any()
    assert np.isnan(found["score"]).all()


@every_detector
@pytest.mark.parametrize("code", [NODATA, CLOUDED, MISSING])
def test_a_blind_look_changes_nothing(name: str, code: int) -> None:
    """A look without a clear pixel in between leaves the state to the bit as it was."""
    detector, state = fitted(name, VALLEY, shape=SHAPE)
    for look in monitored(VALLEY, MONITOR_DAYS[:14], shape=SHAPE):
        state = detector.apply(state, look)
    assert same_bits(detector.apply(state, blind(MONITOR_DAYS[13] + 1, code)), state)


@every_detector
def test_cloud_never_becomes_change(name: str) -> None:
    """Forest under a cloud that the mask has found is never an alert, however long the cloud stays."""
    found = layers_of(name, [Pixel(happenings=(cloud(DUG, days=150),))] * 30)
    assert not found["alert"].any()


@every_detector
def test_order_of_pixels_does_not_matter(name: str) -> None:
    """Permuting pixels permutes every layer, to the bit."""
    order = np.random.default_rng(3).permutation(len(VALLEY))

    def mixed(look: Look) -> Look:
        flat = np.ascontiguousarray(look.reflectance.reshape(6, -1)[:, order])
        return Look(look.day, flat.reshape(6, *SHAPE), look.quality.reshape(-1)[order].reshape(SHAPE))

    before = watch(VALLEY, BASELINE_DAYS, rng=np.random.default_rng(1), shape=SHAPE)
    after = monitored(VALLEY, shape=SHAPE)
    detector = make_detector(name, BANDS, SPANS)
    whole, other = (
        detector.layers(reduce(detector.apply, looks, detector.fit(baseline_of(history))), as_of=AS_OF)
        for history, looks in ((before, after), ([mixed(x) for x in before], [mixed(x) for x in after]))
    )
    expected = {
        key: layer.reshape(*layer.shape[:-2], -1)[..., order].reshape(layer.shape) for key, layer in whole.items()
    }
    assert whole["alert"].any()
    assert same_bits(other, expected)


@every_detector
@pytest.mark.parametrize("cols", [slice(0, 2), slice(2, 6), slice(5, 6)], ids=["left", "right", "one"])
def test_a_part_of_a_tile_is_as_in_the_whole(name: str, cols: slice) -> None:
    """A window of the tile by itself gives the layers that it has within the whole, to the bit."""

    def cut(look: Look) -> Look:
        return Look(look.day, np.ascontiguousarray(look.reflectance[..., cols]), look.quality[:, cols].copy())

    before = watch(VALLEY, BASELINE_DAYS, rng=np.random.default_rng(1), shape=SHAPE)
    after = monitored(VALLEY, shape=SHAPE)
    detector = make_detector(name, BANDS, SPANS)
    whole, part = (
        detector.layers(reduce(detector.apply, looks, detector.fit(baseline_of(history))), as_of=AS_OF)
        for history, looks in ((before, after), ([cut(x) for x in before], [cut(x) for x in after]))
    )
    assert same_bits(part, {key: layer[..., cols] for key, layer in whole.items()})


@every_detector
@pytest.mark.parametrize("cut", [0, 1, 10, 12, 35])
def test_two_runs_equal_one(name: str, cut: int) -> None:
    """Looks applied in two runs, the state saved and loaded in between, give state and layers of one, to the bit."""
    detector, start = fitted(name, VALLEY, shape=SHAPE)
    looks = monitored(VALLEY, shape=SHAPE)
    file = io.BytesIO()
    np.savez(file, **reduce(detector.apply, looks[:cut], start))
    file.seek(0)
    with np.load(file) as saved:
        loaded = {key: saved[key] for key in saved.files}
    another = make_detector(name, BANDS, SPANS)
    two, one = reduce(another.apply, looks[cut:], loaded), reduce(detector.apply, looks, start)
    assert same_bits(two, one)
    assert same_bits(another.layers(two, as_of=AS_OF), detector.layers(one, as_of=AS_OF))


@every_detector
def test_arguments_are_left_alone(name: str) -> None:
    """Neither the state before nor a look is written to, in applying and in making layers."""
    detector, state = fitted(name, VALLEY, shape=SHAPE)
    for look in monitored(VALLEY, MONITOR_DAYS[:14], shape=SHAPE):
        held = {key: array.copy() for key, array in state.items()}
        reflectance, quality = look.reflectance.copy(), look.quality.copy()
        after = detector.apply(state, look)
        detector.layers(state, as_of=look.day)
        assert same_bits(state, held)
        assert np.array_equal(look.reflectance, reflectance)
        assert np.array_equal(look.quality, quality)
        state = after


@every_detector
def test_layers_are_those_of_the_schema(name: str) -> None:
    """Every layer of the schema and no other, of its type, count and the tile's shape, before and after looks."""
    detector, state = fitted(name, VALLEY, shape=SHAPE)
    months = 1 + (from_day(AS_OF).year - 2022) * 12 + from_day(AS_OF).month - 7
    for moment in (state, reduce(detector.apply, monitored(VALLEY, shape=SHAPE), state)):
        found = detector.layers(moment, as_of=AS_OF)
        assert set(found) == {layer.name for layer in LAYERS}
        for layer in LAYERS:
            assert found[layer.name].dtype == layer.dtype, layer.name
            if layer.name != "seen_months":
                assert found[layer.name].shape == (SHAPE if layer.count == 1 else (layer.count, *SHAPE)), layer.name
    assert found["seen_months"].shape == (-(-months // 8), *SHAPE)


@every_detector
def test_layers_agree_with_each_other(name: str) -> None:
    """Confirmed pixels have all dates in order, those without alert none; fractions are percents or unknown."""
    found = layers_of(name, VALLEY, shape=SHAPE)
    confirmed = found["alert"] == AlertStatus.CONFIRMED
    assert confirmed.any()
    assert ((found["confirmed_on"] > 0) == confirmed).all()
    assert (found["clear_before"] <= found["first_seen"]).all()
    assert (found["first_seen"] <= found["last_seen"]).all()
    assert (found["last_seen"] <= found["last_clear"]).all()
    assert (found["first_seen"] <= found["confirmed_on"])[confirmed].all()
    for layer in ("first_seen", "clear_before"):
        assert not found[layer][found["alert"] == AlertStatus.NONE].any()
    for layer in ("bare", "water", "turbid", "was_bare", "was_turbid", "was_still"):
        assert ((found[layer] <= 100) | (found[layer] == 255)).all()


@every_detector
@pytest.mark.parametrize("band", BANDS)
def test_a_missing_band_is_fatal_only_if_needed(name: str, band: str) -> None:
    """Without a band that it needs a detector is not made, and says which; without any other it finds the pit."""
    left = tuple(each for each in BANDS if each != band)
    if band in DETECTORS[name].needs:  # type: ignore[attr-defined]
        with pytest.raises(DataError, match=band):
            make_detector(name, left, SPANS)
        return
    found = layers_of(name, [Pixel(happenings=(pit(DUG),)), FORESTED], bands=left)
    assert found["alert"].tolist() == [[AlertStatus.CONFIRMED, AlertStatus.NONE]]


@every_detector
def test_a_long_baseline_has_a_trend(name: str) -> None:
    """With three years or more ground that browns steadily is followed, not taken for change; a pit is still found."""
    days = range(to_day(date(2019, 1, 5)), to_day(date(2022, 6, 30)), 15)
    spans = Spans(Period(date(2019, 1, 1), date(2022, 6, 30)), SPANS.monitor_start)

    def brown(look: Look) -> Look:
        drift = np.rint(np.array([0.0, 0.0, 25.0, -30.0, 40.0, 30.0]) * (look.day - days[0]) / 365.25)
        return Look(look.day, look.reflectance + drift.astype(np.int16)[:, None, None], look.quality)

    pixels = [FORESTED, Pixel(happenings=(pit(DUG),))]
    history = [brown(look) for look in watch(pixels, days, rng=np.random.default_rng(1))]
    detector = make_detector(name, BANDS, spans)
    looks = [brown(look) for look in monitored(pixels)]
    found = detector.layers(reduce(detector.apply, looks, detector.fit(baseline_of(history))), as_of=AS_OF)
    assert found["alert"].tolist() == [[AlertStatus.NONE, AlertStatus.CONFIRMED]]


# ---------------------------------------------------------------- the sequential detector alone


def test_noise_as_large_as_the_floor_confirms_next_to_nothing() -> None:
    """Noise at the floor of the visible bands confirms at most one undisturbed pixel in a thousand a year."""
    found = layers_of("sequential", [FORESTED, GRASSY] * 1000, shape=(40, 50), noise=FLOOR[0])
    assert np.mean(found["alert"] == AlertStatus.CONFIRMED) <= 0.001


@pytest.mark.parametrize(
    "pixel",
    [
        Pixel(happenings=(haze(DUG, share=0.1, days=30),)),
        Pixel(happenings=(shadow(DUG, share=0.25, days=30),)),
        Pixel(happenings=(small_cloud(DUG, days=30),)),
        Pixel(SAVANNA, (burn(DUG),)),
    ],
    ids=["haze", "shadow", "small_cloud", "burn"],
)
def test_innocent_changes_are_not_confirmed(pixel: Pixel) -> None:
    """Three looks of haze, shade or unbelieved cloud in a row, and a fire: each is told from a pit by its spectrum."""
    found = layers_of("sequential", [pixel] * 20)
    assert not (found["alert"] == AlertStatus.CONFIRMED).any()


def test_a_pit_that_greens_is_gone() -> None:
    """Clear looks as before the change set gone_on after the change's end; the pixel stays confirmed, its dates too."""
    brief = Pixel(happenings=(pit(DUG),))
    ended = [happening.__class__(DUG, happening.mix, days=100) for happening in brief.happenings]
    found = layers_of("sequential", [brief, Pixel(happenings=tuple(ended))])
    assert found["alert"].tolist() == [[AlertStatus.CONFIRMED] * 2]
    assert found["gone_on"][0, 0] == 0
    assert found["gone_on"][0, 1] >= DUG + 100
    assert found["last_seen"][0, 1] < DUG + 100
    assert (found["first_seen"] == DUG).all()


def test_fractions_are_those_of_the_pit() -> None:
    """Bare and water after the change are those it was dug with, within 15 percent points."""
    found = layers_of("sequential", [Pixel(happenings=(pit(DUG, sand=0.5, turbid=0.3),))] * 20)
    assert abs(found["bare"].astype(int) - 50).max() <= 15
    assert abs(found["water"].astype(int) - 30).max() <= 15
    assert (found["turbid"] <= found["water"]).all()


WARM = BASELINE_DAYS[-10]
"""A day three months before the monitor."""


@pytest.mark.parametrize("ground", [FORESTED, GRASSY], ids=["forest", "savanna"])
def test_ground_dug_before_the_monitor_is_dated_there(ground: Pixel) -> None:
    """A pit of three months before is seen and confirmed in the baseline, with the monitor's looks or without."""
    pixels = [Pixel(ground.ground, (pit(WARM),))] * 20
    detector, state = fitted("sequential", pixels)
    for moment in (state, reduce(detector.apply, monitored(pixels), state)):
        found = detector.layers(moment, as_of=AS_OF)
        assert (found["alert"] == AlertStatus.CONFIRMED).all()
        assert (found["first_seen"] == WARM).mean() > 0.9
        assert (found["first_seen"] >= WARM).all()
        assert (found["confirmed_on"] < SPANS.monitor_start).all()
        assert (found["clear_before"] < found["first_seen"]).all()


def test_a_pit_older_than_the_warming_is_no_change() -> None:
    """Ground dug a year before the monitor is the baseline's: the ladder starts half a year before, not earlier."""
    found = layers_of("sequential", [Pixel(happenings=(pit(SPANS.monitor_start - 2 * WARM_DAYS - 30),))] * 20)
    assert ((found["first_seen"] == 0) | (found["first_seen"] > SPANS.monitor_start - WARM_DAYS - 1)).all()


def test_warming_raises_no_alarm_of_its_own() -> None:
    """Half a year of the baseline's own noise confirms at most one undisturbed pixel in a thousand."""
    detector, state = fitted("sequential", [FORESTED, GRASSY] * 1000, shape=(40, 50))
    assert np.mean(detector.layers(state, as_of=SPANS.monitor_start)["alert"] == AlertStatus.CONFIRMED) <= 0.001


def test_looks_are_counted_from_the_monitor_on() -> None:
    """Clear looks of the baseline are not counted, and last_clear is a day of the monitor or none at all."""
    detector, state = fitted("sequential", VALLEY, shape=SHAPE)
    found = detector.layers(state, as_of=SPANS.monitor_start)
    assert not found["n_clear"].any()
    assert not found["last_clear"].any()
    for count, look in enumerate(monitored(VALLEY, MONITOR_DAYS[:14], shape=SHAPE), start=1):
        state = detector.apply(state, look)
        found = detector.layers(state, as_of=look.day)
        assert (found["n_clear"] <= count).all()
        assert ((found["last_clear"] > 0) == (found["n_clear"] > 0)).all()
        assert ((found["last_clear"] == 0) | (found["last_clear"] >= SPANS.monitor_start)).all()
    assert found["n_clear"].max() == count


def test_the_last_look_before_a_pit_is_kept() -> None:
    """Clouds before the first evidence widen the gap: the day before is that of the last clear look."""
    clouded = tuple(cloud(DUG - 10 * i) for i in (1, 2, 3))
    found = layers_of("sequential", [Pixel(happenings=(pit(DUG),)), Pixel(happenings=(pit(DUG), *clouded)), FORESTED])
    assert found["clear_before"].tolist() == [[DUG - 10, DUG - 40, 0]]
    early = layers_of("sequential", [Pixel(happenings=(pit(MONITOR_DAYS[0]),))])
    assert early["clear_before"].tolist() == [[BASELINE_DAYS[-1]]]


def test_what_was_open_before_is_known() -> None:
    """An old working was bare and turbid, undisturbed ground was neither, ground never seen clear is unknown."""
    old = Pixel(happenings=(pit(0, sand=0.6, turbid=0.3),))
    found = layers_of("sequential", [old, FORESTED, GRASSY, Pixel(happenings=(cloud(0, days=SPANS.monitor_start),))])
    (bare,), (turbid,), (still,) = (found[name].tolist() for name in ("was_bare", "was_turbid", "was_still"))
    assert bare[0] >= 40
    assert turbid[0] >= 20
    assert max(*bare[1:3], *turbid[1:3], *still[1:3]) <= 5
    assert bare[3] == turbid[3] == still[3] == 255


def test_the_opposite_season_is_of_the_same_year() -> None:
    """Half a year away means the other season at today's trend: the trend itself is no innocent direction."""
    spans = Spans(Period(date(2019, 1, 1), date(2022, 6, 30)), SPANS.monitor_start)
    moment = _moment(spans, DUG)
    assert moment.row.shape == (6,)
    assert moment.opposite[5] == moment.row[5]
    assert np.allclose(moment.opposite[1:3], -moment.row[1:3], atol=0.02)
    assert moment.per_day[5] > 0


# ---------------------------------------------------------------- what detectors share


def test_a_baseline_hands_out_what_was_put_in() -> None:
    """Blocks of pixels hold each look's reflectance, NaN where it was not clear; looks without any are left out."""
    looks = watch(VALLEY, BASELINE_DAYS[:5], rng=np.random.default_rng(1), shape=SHAPE)
    looks.insert(2, blind(BASELINE_DAYS[1] + 3, CLOUDED))
    baseline = baseline_of(looks)
    assert baseline.days == list(BASELINE_DAYS[:5])
    expected = np.stack([look.reflectance.reshape(6, -1) for look in looks if look.day in baseline.days], axis=1) * 1e-4
    expected[:, :, [p for p in range(12) if looks[0].quality.reshape(-1)[p] != CLEAR]] = np.nan
    whole = baseline.block(0, 12)
    assert np.allclose(whole, expected, atol=1e-6, equal_nan=True)
    assert np.isnan(whole).any()
    parts = [baseline.block(start, min(start + 5, 12)) for start in (0, 5, 10)]
    assert np.array_equal(np.concatenate(parts, axis=2), whole, equal_nan=True)


@every_detector
def test_an_empty_baseline_is_fitted(name: str) -> None:
    """A tile without a single baseline look has a state, and its pixels are not judged."""
    detector = make_detector(name, BANDS, SPANS)
    state = detector.fit(Baseline(BANDS, SHAPE, io.BytesIO()))
    found = detector.layers(reduce(detector.apply, monitored(VALLEY, shape=SHAPE), state), as_of=AS_OF)
    assert not found["alert"].any()


def test_common_bands_are_those_of_half_the_scenes() -> None:
    """A band counts when at least half of the scenes offer it; order is that of BANDS, whatever the scenes' own."""
    full, short = ("nir", "red", "green", "blue", "swir16", "swir22"), ("red", "nir")
    assert common_bands([full]) == BANDS
    assert common_bands([full, short]) == BANDS
    assert common_bands([full, short, short]) == short
    assert common_bands([]) == ()


def test_months_are_bits() -> None:
    """Bit i of plane i // 8 is month i of the monitor, set where that month was seen; what was set stays."""
    since = to_day(date(2022, 7, 20))
    seen = np.zeros((0, 1, 2), np.uint8)
    for when, clear in ((date(2022, 7, 31), [1, 0]), (date(2022, 8, 1), [1, 1]), (date(2023, 4, 1), [0, 1])):
        seen = mark_month(seen, np.array([clear], np.bool_), since=since, day=to_day(when))
    assert seen.tolist() == [[[0b11, 0b10]], [[0b0, 0b10]]]
    kept = seen.copy()
    mark_month(seen, np.ones((1, 2), np.bool_), since=since, day=to_day(date(2024, 1, 1)))
    assert np.array_equal(seen, kept)
