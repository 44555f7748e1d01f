"""Laws of ground that was open before, on hand-made years, and scipy's nnls as the slow obvious twin."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from geomon.kernels import spectra
from geomon.kernels.evidence import Fractions, Prediction
from geomon.kernels.standing import BARREN, GREENEST_MONTHS, UNKNOWN, standing
from geomon.model import BANDS
from tests.synthetic import DRIEST, FOREST, SAVANNA, SPANS, blend

MIN_LOOKS = 8
DAYS = [DRIEST + round(365.25 * k / 12) for k in range(12)]
MONTHS = SPANS.design(DAYS)
Year = Callable[[int], np.ndarray]


def coefficients(year: Year, bands: tuple[str, ...] = BANDS) -> np.ndarray:
    """The baseline of one pixel whose spectrum on each day is known, int16 (B, K)."""
    seen = np.stack([year(day) for day in DAYS])
    fitted = np.linalg.lstsq(MONTHS, seen, rcond=None)[0]
    return np.rint(fitted.T / spectra.UNIT).astype(np.int16)[[BANDS.index(band) for band in bands]]


def predicted(*years: Year, looks: int = 30, bands: tuple[str, ...] = BANDS) -> Prediction:
    terms = np.stack([coefficients(year, bands) for year in years])
    return Prediction(terms, np.full(terms.shape[:2], 80, np.uint16), np.full(len(years), looks, np.uint16))


def open_before(*years: Year, looks: int = 30, bands: tuple[str, ...] = BANDS) -> list[tuple[int, int, int]]:
    """Percent of bare ground, turbid and still water of each year."""
    model = spectra.spectral_model(bands)
    found = standing(predicted(*years, looks=looks, bands=bands), MONTHS, model, min_looks=MIN_LOOKS)
    return [tuple(int(part[p]) for part in found) for p in range(len(years))]


def always(mix: Mapping[str, float], ground: Year = FOREST.at) -> Year:
    return lambda day: blend(ground(day), mix)


# ---------------------------------------------------------------- hand-made years


@pytest.mark.parametrize("ground", [FOREST.at, SAVANNA.at], ids=["forest", "savanna"])
def test_what_greens_was_not_open(ground: Year) -> None:
    """Evergreen forest, and savanna that is straw half the year, hold next to nothing that no season greens."""
    ((bare, turbid, still),) = open_before(ground)
    assert bare <= 5
    assert turbid <= 5
    assert still == 0


def test_a_straw_field_is_not_bare_ground() -> None:
    """Ground that is cured grass all year round holds straw, which no crew has dug."""
    ((bare, turbid, still),) = open_before(always({"straw": 1.0}))
    assert max(bare, turbid, still) <= 20


@pytest.mark.parametrize("kind", ["sand", "laterite"])
def test_ground_that_is_bare_all_year_was_bare(kind: str) -> None:
    """Open sand or laterite in every month, a little darker or brighter than the endmembers, is bare ground."""
    ((bare, turbid, still),) = open_before(always({kind: 1.0}))
    assert bare >= 80
    assert turbid + still <= 20


def test_a_muddy_pond_is_turbid_and_a_clear_one_still() -> None:
    """Water is told by its mud: a pit pond is turbid water, a lake still water, neither is bare ground."""
    muddy, clear = open_before(always({"turbid": 1.0}), always({"pond": 1.0}))
    assert muddy[1] >= 90
    assert muddy[0] + muddy[2] <= 10
    assert clear[2] >= 60
    assert clear[0] <= 10


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8])
def test_a_part_that_is_open_is_measured(share: float) -> None:
    """Of forest with a share of sand all year round, that share is found within 12 percent points."""
    ((bare, _, _),) = open_before(always({"sand": share}))
    assert abs(bare - 100 * share) <= 12


def test_an_old_working_is_both() -> None:
    """Sand and turbid water side by side are found together, beside what grows between them."""
    ((bare, turbid, _),) = open_before(always({"sand": 0.5, "turbid": 0.3}))
    assert abs(bare - 50) <= 12
    assert abs(turbid - 30) <= 12


def test_dark_forest_is_not_still_water() -> None:
    """Shade between crowns is darkness too: where plants grow it is no water."""
    ((_, _, still),) = open_before(lambda day: 0.6 * FOREST.at(day))
    assert still == 0


def test_ground_that_was_green_for_a_season_was_not_open() -> None:
    """A field that lies bare after its harvest and is green for three months or more was not open ground."""

    def field(day: int) -> np.ndarray:
        return blend(FOREST.at(day), {"sand": 0.45 * (1.0 + np.cos(2 * np.pi * (day - DRIEST) / 365.25))})

    ((bare, _, _),) = open_before(field)
    assert bare <= 15


# ---------------------------------------------------------------- what is not known


def test_few_looks_say_nothing() -> None:
    """A baseline of fewer looks than asked for is unknown, of as many it is known."""
    sand = always({"sand": 1.0})
    assert open_before(sand, looks=MIN_LOOKS - 1) == [(UNKNOWN,) * 3]
    assert open_before(sand, looks=MIN_LOOKS) != [(UNKNOWN,) * 3]


@pytest.mark.parametrize("missing", ["red", "nir"])
def test_without_red_or_nir_nothing_is_known(missing: str) -> None:
    """How green a month is needs both bands."""
    left = tuple(band for band in BANDS if band != missing)
    assert open_before(always({"sand": 1.0}), FOREST.at, bands=left) == [(UNKNOWN,) * 3] * 2


@pytest.mark.parametrize("missing", ["blue", "green", "swir16", "swir22"])
def test_another_band_may_be_missing(missing: str) -> None:
    """Without any one of the other bands sand is still told from forest."""
    left = tuple(band for band in BANDS if band != missing)
    sand, forest = open_before(always({"sand": 1.0}), FOREST.at, bands=left)
    assert sand[0] > forest[0] + 50


# ---------------------------------------------------------------- the slow twin


def plainly(prediction: Prediction, model: spectra.SpectralModel, pixel: int) -> np.ndarray:
    """Percent of bare, turbid, still, and the plants' share, by the textbook."""
    year = np.maximum(MONTHS @ prediction.coefficients[pixel].T.astype(float) * spectra.UNIT, 0.0)
    red, nir = year[:, model.red], year[:, model.nir]
    greenest = np.argsort(-(nir - red) / np.maximum(nir + red, 0.02), kind="stable")[:GREENEST_MONTHS]
    basis = np.stack([model.leaf, model.straw, *model.mined[:3]])
    share, _ = nnls((basis / model.floor).T, year[greenest].mean(axis=0) / model.floor)
    plants, bare, turbid = share[:2].sum(), share[2:4].sum(), share[4]
    still = max(0.0, 1.0 - share.sum()) if plants < BARREN else 0.0
    whole = max(plants + bare + turbid + still, 1.0)
    return np.array([100 * bare / whole, 100 * turbid / whole, 100 * still / whole, plants])


mixes = st.dictionaries(st.sampled_from(["sand", "laterite", "turbid", "pond", "straw"]), st.floats(0, 0.6), max_size=3)


@given(mix=mixes, savanna=st.booleans(), wobble=st.integers(0, 99))
def test_shares_are_those_of_a_plain_least_squares(mix: Mapping[str, float], savanna: bool, wobble: int) -> None:
    """Any year of mixed ground, with noise in every band and month, gives scipy's fractions to two percent points."""
    whole = max(sum(mix.values()), 1.0)
    year = always({kind: share / whole for kind, share in mix.items()}, SAVANNA.at if savanna else FOREST.at)
    noise = np.random.default_rng(wobble).normal(0.0, 0.01, (12, 6))
    prediction = predicted(lambda day: year(day) + noise[DAYS.index(day)])
    model = spectra.spectral_model(BANDS)
    *expected, plants = plainly(prediction, model, 0)
    found = standing(prediction, MONTHS, model, min_looks=MIN_LOOKS)
    near = [abs(int(part[0]) - want) for part, want in zip(found, expected, strict=True)]
    assert max(near[:2]) <= 2.0
    assert near[2] <= 2.0 or abs(plants - BARREN) < 0.02


@given(seed=st.integers(0, 999), pixels=st.integers(1, 20))
def test_fractions_are_percents_of_each_pixel_alone(seed: int, pixels: int) -> None:
    """Any baseline, however odd, gives shares of 0-100 that sum to 100 at most, whatever pixels stand beside it."""
    rng = np.random.default_rng(seed)
    terms = rng.integers(-4000, 9000, (pixels, len(BANDS), MONTHS.shape[1])).astype(np.int16)
    prediction = Prediction(terms, np.full((pixels, 6), 80, np.uint16), rng.integers(0, 20, pixels).astype(np.uint16))
    model = spectra.spectral_model(BANDS)
    whole = standing(prediction, MONTHS, model, min_looks=MIN_LOOKS)
    known = prediction.n >= MIN_LOOKS
    total = np.sum([part.astype(int) for part in whole], axis=0)
    assert (total[known] <= 101).all()
    assert all((part[~known] == UNKNOWN).all() for part in whole)
    order = rng.permutation(pixels)
    mixed = standing(Prediction(*(part[order] for part in prediction)), MONTHS, model, min_looks=MIN_LOOKS)
    assert isinstance(mixed, Fractions)
    assert all(np.array_equal(one, other[order]) for one, other in zip(mixed, whole, strict=True))
