"""Laws of one look's evidence, and a slow twin in plain numpy."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomon.kernels import evidence as ev
from geomon.kernels import harmonic, spectra
from geomon.kernels.quality import CLEAR, CLOUDED, DOUBTFUL, MISSING, NODATA
from geomon.model import BANDS
from tests.synthetic import COVER, DRIEST, FOREST, GREENEST, SAVANNA, Ground, blend, steps

MIN_LOOKS = 8
HIT = 1.0
"""Log-likelihood ratio that counts as evidence anywhere."""
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=15)


# ---------------------------------------------------------------- asking the kernel


def moment_of(day: int) -> ev.Moment:
    """Design rows of a day without a trend."""
    rows = harmonic.design_matrix(
        np.array([day, day - 5, day + 5, day + 183]), reference_day=0, span_days=1, trend=False
    )
    return ev.Moment(rows[0], (rows[2] - rows[1]) / 10.0, rows[3])


def predict(grounds: Sequence[Ground], *, bands: Sequence[str] = BANDS, n: int = 40) -> ev.Prediction:
    """What a perfect baseline of the grounds says; the scale is left to the floor."""
    phase = 2 * np.pi * DRIEST / 365.25
    waves = np.array([np.cos(phase), np.sin(phase)])
    coefficients = np.zeros((len(grounds), len(BANDS), 5))
    for p, ground in enumerate(grounds):
        coefficients[p, :, 0] = ground.mean
        coefficients[p, :, 1:3] = ground.swing[:, None] * waves
    keep = [BANDS.index(band) for band in bands]
    return ev.Prediction(
        np.ascontiguousarray(steps(coefficients)[:, keep]),
        np.full((len(grounds), len(bands)), 50, np.uint16),
        np.full(len(grounds), n, np.uint16),
    )


def nothing_shown(pixels: int) -> ev.Fractions:
    return ev.Fractions(*(np.zeros(pixels, np.uint8) for _ in range(3)))


def judge(
    seen: np.ndarray,
    ground: Ground = FOREST,
    *,
    day: int = GREENEST,
    quality: int = CLEAR,
    shown: ev.Fractions | None = None,
    bands: Sequence[str] = BANDS,
    n: int = 40,
) -> ev.Evidence:
    """Evidence of spectra (P, 6) that were seen over one ground."""
    spectrum = np.atleast_2d(seen)
    pixels = len(spectrum)
    keep = [BANDS.index(band) for band in bands]
    return ev.evidence(
        np.ascontiguousarray(steps(spectrum).T[keep]),
        np.full(pixels, quality, np.uint8),
        nothing_shown(pixels) if shown is None else shown,
        prediction=predict([ground] * pixels, bands=bands, n=n),
        moment=moment_of(day),
        model=spectra.spectral_model(bands),
        min_looks=MIN_LOOKS,
    )


def random_case(seed: int, pixels: int, bands: Sequence[str] = BANDS) -> dict:
    """Arguments of `evidence`: every kind of ground, day, cover, quality and memory at once."""
    rng = np.random.default_rng(seed)
    day = int(rng.integers(18_000, 19_500))
    grounds = []
    for _ in range(pixels):
        base = FOREST if rng.random() < 0.5 else SAVANNA
        grounds.append(Ground(base.green * rng.uniform(0.7, 1.4, 6), base.dry * rng.uniform(0.7, 1.4, 6)))
    seen = np.array([ground.at(day) for ground in grounds])
    for p in range(pixels):
        for name in rng.choice(list(COVER), rng.integers(0, 3), replace=False):
            seen[p] = blend(seen[p], {str(name): rng.uniform(0, 0.6)})
    seen += rng.normal(0, 0.01, seen.shape)
    keep = [BANDS.index(band) for band in bands]
    reflectance = np.ascontiguousarray(steps(seen).T[keep])
    reflectance[rng.integers(0, len(bands)), rng.random(pixels) < 0.05] = spectra.NODATA_REFLECTANCE
    quality = rng.choice([CLEAR, CLEAR, CLEAR, DOUBTFUL, CLOUDED, NODATA, MISSING], pixels).astype(np.uint8)
    shown = rng.integers(0, 50, (3, pixels)).astype(np.uint8) * (rng.random(pixels) < 0.4).astype(np.uint8)
    prediction = predict(grounds, bands=bands)
    prediction.sigma[:] = rng.integers(20, 400, prediction.sigma.shape)
    prediction.n[:] = rng.integers(MIN_LOOKS - 3, 60, pixels)
    return {
        "reflectance": reflectance,
        "quality": quality,
        "shown": ev.Fractions(*(np.ascontiguousarray(part) for part in shown)),
        "prediction": prediction,
        "moment": moment_of(day),
        "model": spectra.spectral_model(bands),
    }


def ask(case: dict) -> ev.Evidence:
    names = ("prediction", "moment", "model")
    return ev.evidence(
        case["reflectance"],
        case["quality"],
        case["shown"],
        **{name: case[name] for name in names},
        min_looks=MIN_LOOKS,
    )


def pick(case: dict, index: np.ndarray) -> dict:
    """The case of some of its pixels."""
    return case | {
        "reflectance": np.ascontiguousarray(case["reflectance"][:, index]),
        "quality": case["quality"][index],
        "shown": ev.Fractions(*(part[index] for part in case["shown"])),
        "prediction": ev.Prediction(*(part[index] for part in case["prediction"])),
    }


# ---------------------------------------------------------------- the slow twin


def twin_expectation(case: dict, p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted spectrum, residual and noise variance of one pixel."""
    prediction, moment, model = case["prediction"], case["moment"], case["model"]
    coefficients = prediction.coefficients[p] * spectra.UNIT
    mu = coefficients @ moment.row
    scale = np.maximum(prediction.sigma[p] * spectra.UNIT, model.floor)
    variance = scale**2 * (1 + len(moment.row) / int(prediction.n[p])) + (spectra.RELATIVE * mu) ** 2
    return mu, case["reflectance"][:, p] * spectra.UNIT - mu, variance


def twin_curing(case: dict, p: int, mu: np.ndarray) -> float:
    """The pixel's swing of NIR less red over NIR, as far as its season lets it cure."""
    model, coefficients = case["model"], case["prediction"].coefficients[p].astype(float)
    if model.red < 0 or model.nir < 0:
        return spectra.LARGEST_SWING
    difference = coefficients[model.nir] - coefficients[model.red]
    amplitude = np.linalg.norm(difference[1:5]) + 1.0
    dryness = (difference[0] + amplitude - (mu[model.nir] - mu[model.red]) / spectra.UNIT) / (2 * amplitude)
    season = spectra.GREENEST + (1 - spectra.GREENEST) * np.clip(dryness, 0, 1)
    return min(amplitude / max(coefficients[model.nir, 0], 500.0), spectra.LARGEST_SWING) * season


def twin_covariance(case: dict, p: int, mu: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Noise and what innocent changes do, each along its direction."""
    model, moment = case["model"], case["moment"]
    coefficients = case["prediction"].coefficients[p] * spectra.UNIT
    doubtful = case["quality"][p] == DOUBTFUL
    swing = twin_curing(case, p, mu)
    directions = [
        (spectra.DOUBTFUL_HAZE if doubtful else spectra.HAZE) * (model.white - mu),
        (spectra.DOUBTFUL_SHADOW if doubtful else spectra.SHADOW) * -mu,
        (spectra.FIRE[0] + spectra.FIRE[1] * swing) * (model.char - mu),
        (spectra.STRAW[0] + spectra.STRAW[1] * swing) * (model.straw - mu),
        spectra.SEASON_DAYS * (coefficients @ moment.per_day),
        spectra.SWING * (coefficients @ moment.opposite - mu),
    ]
    return np.diag(variance) + sum(np.outer(d, d) for d in directions)


def twin_mixtures(whitened: np.ndarray, z: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Gain and fractions of every mixture of at most one bare and one water endmember; still water alone pays SHADE."""
    found = []
    singles = [[i] for i in range(len(whitened))]
    pairs = [[i, j] for i, j in product(range(spectra.N_BARE), range(spectra.N_BARE, len(whitened)))]
    for members in singles + pairs:
        directions = whitened[members].T
        if len(members) == 1:
            fractions = np.array([directions[:, 0] @ z / (directions[:, 0] @ directions[:, 0])])
        else:
            fractions = np.linalg.lstsq(directions, z, rcond=None)[0]
            if (fractions <= 0).any():
                continue
        total = fractions.sum()
        held = min(max(total, ev.MIN_FRACTION), ev.LARGEST_FRACTION)
        fractions = fractions * (held / total) if len(members) == 2 else np.array([held])
        share = np.zeros(len(whitened))
        share[members] = fractions
        left = z - directions @ fractions
        dark = members[-1] == len(whitened) - 1 and share[: spectra.N_BARE].sum() < ev.FAINT_BARE
        shade = ev.SHADE if dark else 0.0
        found.append((0.5 * (z @ z - left @ left) - shade, share))
    return found


def twin_memory(case: dict, p: int, whitened: np.ndarray, z: np.ndarray) -> float:
    """Gain of the mixture shown before, from half its strength to one and a half, with the likelier bare ground."""
    bare, turbid, still = (int(part[p]) / 100 for part in case["shown"])
    gains = []
    for ground in whitened[: spectra.N_BARE]:
        direction = bare * ground + turbid * whitened[2] + still * whitened[3]
        strength = np.clip(direction @ z / (direction @ direction + 1e-12), ev.WEAKEST, ev.STRONGEST)
        left = z - strength * direction
        gains.append(0.5 * (z @ z - left @ left))
    return min(max(gains), ev.OCCAM)


def twin(case: dict, p: int) -> tuple[float, np.ndarray]:
    """Evidence and percent of bare, turbid and still of one pixel, by the definition."""
    none = np.zeros(3)
    y, quality, model = case["reflectance"][:, p], case["quality"][p], case["model"]
    if (
        quality not in (DOUBTFUL, CLEAR)
        or case["prediction"].n[p] < MIN_LOOKS
        or (y == spectra.NODATA_REFLECTANCE).any()
    ):
        return np.nan, none
    if min(model.blue, model.red) >= 0 and (y[model.blue] - 0.5 * y[model.red]) * spectra.UNIT > spectra.HAZE_TEST:
        return np.nan, none
    mu, residual, variance = twin_expectation(case, p)
    pending = any(int(part[p]) > 0 for part in case["shown"])
    if (residual**2 / variance).max() < ev.AS_PREDICTED_SIGMA**2 and not pending:
        return ev.CLIP_LOW, none
    factor = np.linalg.cholesky(twin_covariance(case, p, mu, variance))
    z = np.linalg.solve(factor, residual)
    whitened = np.linalg.solve(factor, (model.mined - mu).T).T
    best, share = max(twin_mixtures(whitened, z), key=lambda found: found[0])
    gain = best - ev.OCCAM
    if best <= 2 * ev.OCCAM:
        gain = twin_memory(case, p, whitened, z) if pending else min(best, 0.0)
    percent = 100 * share / max(share.sum(), 1.0)
    top = ev.CLIP_HIGH * (0.5 if quality == DOUBTFUL else 1.0)
    return float(np.clip(gain, ev.CLIP_LOW, top)), np.array([percent[0] + percent[1], percent[2], percent[3]])


@pytest.mark.parametrize("bands", [BANDS, BANDS[:5], ("red", "nir")])
@pytest.mark.parametrize("seed", [1, 2])
def test_evidence_is_the_plain_model(seed: int, bands: tuple[str, ...]) -> None:
    """Whitening by numpy and trying every mixture gives the same ratio to 1e-4 and fractions to a percent."""
    case = random_case(seed, 250, bands)
    found = ask(case)
    assert np.isfinite(found.ratio).sum() > 50
    for p in range(250):
        ratio, percent = twin(case, p)
        assert np.isclose(found.ratio[p], ratio, atol=1e-4, equal_nan=True)
        if ratio >= HIT and len(bands) > 2:  # without evidence, or with as many unknowns as bands, they mean nothing
            assert np.allclose([part[p] for part in found.shows], percent, atol=1)


# ---------------------------------------------------------------- what is evidence, and what is not


def small_steps(mix: dict[str, float], shares: Sequence[float], ground: Ground, day: int) -> np.ndarray:
    """Spectra of the ground under growing shares of a cover."""
    return np.array([blend(ground.at(day), {name: share * s for name, s in mix.items()}) for share in shares])


@pytest.mark.parametrize("ground", [FOREST, SAVANNA], ids=["forest", "savanna"])
@pytest.mark.parametrize("day", [GREENEST, GREENEST + 91, DRIEST])
def test_as_predicted_is_evidence_against(ground: Ground, day: int) -> None:
    """What was predicted speaks against mining as loudly as one look may, and shows nothing."""
    found = judge(ground.at(day), ground, day=day)
    assert found.ratio.tolist() == [ev.CLIP_LOW]
    assert not any(part.any() for part in found.shows)


@pytest.mark.parametrize("day", [GREENEST, DRIEST])
@pytest.mark.parametrize(
    "mix", [{"sand": 1.0}, {"laterite": 1.0}, {"turbid": 1.0}, {"sand": 0.6, "turbid": 0.4}], ids=str
)
def test_mined_shares_of_forest_are_evidence(mix: dict[str, float], day: int) -> None:
    """Three tenths and more of bare ground or turbid water in forest is evidence, and more of it is never less."""
    found = judge(small_steps(mix, np.linspace(0.3, 1.0, 8), FOREST, day), day=day)
    assert (found.ratio >= HIT).all()
    assert (np.diff(found.ratio) >= -1e-3).all()


def test_fractions_are_those_of_the_mixture() -> None:
    """The shares that a mixture was made of come back within 12 percent points, though the spectra differ a little."""
    found = judge(blend(FOREST.at(GREENEST), {"sand": 0.5, "turbid": 0.3}))
    assert found.ratio[0] == ev.CLIP_HIGH
    assert abs(int(found.shows.bare[0]) - 50) <= 12
    assert abs(int(found.shows.turbid[0] + found.shows.still[0]) - 30) <= 12


@pytest.mark.parametrize(
    ("mix", "shares", "ground", "days"),
    [
        ({"white": 1.0}, (0.02, 0.05, 0.10, 0.20, 0.40, 0.80), FOREST, (GREENEST, DRIEST)),
        ({"white": 1.0}, (0.02, 0.05, 0.10, 0.20, 0.40, 0.80), SAVANNA, (GREENEST, DRIEST)),
        ({"black": 1.0}, (0.05, 0.10, 0.20, 0.30), FOREST, (GREENEST, DRIEST)),
        ({"black": 1.0}, (0.05, 0.10, 0.20, 0.30), SAVANNA, (GREENEST, DRIEST)),
        ({"char": 1.0}, (0.10, 0.30, 0.50, 0.70), SAVANNA, (DRIEST - 30, DRIEST, DRIEST + 30)),
        ({"straw": 1.0}, (0.10, 0.30, 0.60, 0.90), SAVANNA, (DRIEST - 30, DRIEST, DRIEST + 30)),
    ],
    ids=["haze_forest", "haze_savanna", "shadow_forest", "shadow_savanna", "char_savanna", "straw_savanna"],
)
def test_innocent_changes_are_no_evidence(
    mix: dict[str, float], shares: Sequence[float], ground: Ground, days: Sequence[int]
) -> None:
    """Haze, thin cloud, half shade, and in savanna's dry season fire and cured grass: none is evidence of mining."""
    for day in days:
        found = judge(small_steps(mix, shares, ground, day), ground, day=day)
        assert not (found.ratio >= HIT).any(), (day, found.ratio)


@pytest.mark.parametrize("late", [-15, 15])
def test_an_early_or_late_season_is_no_evidence(late: int) -> None:
    """Savanna that looks as it should have half a month sooner or later is a season out of step, on any day."""
    for day in range(GREENEST, GREENEST + 365, 30):
        assert not (judge(SAVANNA.at(day + late), SAVANNA, day=day).ratio >= HIT).any()


def test_thick_haze_is_not_looked_at() -> None:
    """A look that its own blue and red call haze has no evidence at all, unless a band of the two is missing."""
    hazy = blend(FOREST.at(GREENEST), {"white": 0.5})
    assert np.isnan(judge(hazy).ratio).all()
    assert np.isfinite(judge(hazy, bands=BANDS[1:]).ratio).all()


def test_doubtful_looks_are_capped() -> None:
    """In a patch that SCL calls cloud the same pit is evidence still, but of half a clear look's most."""
    dug = blend(FOREST.at(GREENEST), {"sand": 0.6, "turbid": 0.3})
    clear, doubtful = judge(dug).ratio[0], judge(dug, quality=DOUBTFUL).ratio[0]
    assert clear == ev.CLIP_HIGH
    assert 0 < doubtful <= 0.5 * ev.CLIP_HIGH


@given(seed=seeds)
@few
def test_one_look_never_convicts(seed: int) -> None:
    """Whatever is seen, the ratio lies between the clips and fractions are percents that add up to at most 100."""
    found = ask(random_case(seed, 200))
    ratio = found.ratio[np.isfinite(found.ratio)]
    assert ((ratio >= ev.CLIP_LOW) & (ratio <= ev.CLIP_HIGH)).all()
    assert (sum(part.astype(int) for part in found.shows) <= 101).all()  # three roundings


# ---------------------------------------------------------------- what is not looked at


@pytest.mark.parametrize("code", [NODATA, CLOUDED, MISSING])
def test_looks_that_are_not_clear_say_nothing(code: int) -> None:
    """No data, cloud and a failed read give NaN and show nothing, whatever number is in the pixel."""
    found = judge(COVER["sand"], quality=code)
    assert np.isnan(found.ratio).all()
    assert not any(part.any() for part in found.shows)


@pytest.mark.parametrize("band", range(6))
def test_a_look_without_one_band_says_nothing(band: int) -> None:
    """No data in any one band makes the look NaN: a spectrum with a hole is not compared."""
    case = random_case(3, 50)
    case["reflectance"][band] = spectra.NODATA_REFLECTANCE
    assert np.isnan(ask(case).ratio).all()


def test_too_few_baseline_looks_say_nothing() -> None:
    """A pixel whose baseline rests on fewer looks than asked for is not judged; with just as many it is."""
    assert np.isnan(judge(COVER["sand"], n=MIN_LOOKS - 1).ratio).all()
    assert (judge(COVER["sand"], n=MIN_LOOKS).ratio >= HIT).all()


@pytest.mark.parametrize("band", BANDS)
def test_any_one_band_may_be_missing(band: str) -> None:
    """Without any one band a pit in forest is still evidence, and forest still none."""
    left = [name for name in BANDS if name != band]
    dug = blend(FOREST.at(GREENEST), {"sand": 0.6, "turbid": 0.3})
    found = judge(np.array([dug, FOREST.at(GREENEST)]), bands=left)
    assert found.ratio[0] >= HIT
    assert found.ratio[1] == ev.CLIP_LOW


# ---------------------------------------------------------------- what was shown before


def shown_pit(pixels: int) -> ev.Fractions:
    return ev.Fractions(*(np.full(pixels, percent, np.uint8) for percent in (60, 30, 0)))


def test_what_has_gone_speaks_against_what_was_shown() -> None:
    """Forest as predicted where a pit was shown undoes it as loudly as one look may."""
    assert judge(FOREST.at(GREENEST), shown=shown_pit(1)).ratio.tolist() == [ev.CLIP_LOW]


def test_what_is_still_there_is_no_less_for_having_been_shown() -> None:
    """A pit that shows again is the evidence that it was the first time."""
    dug = blend(FOREST.at(GREENEST), {"sand": 0.6, "turbid": 0.3})
    assert judge(dug, shown=shown_pit(1)).ratio[0] == judge(dug).ratio[0]


# ---------------------------------------------------------------- pixels are independent


@given(seed=seeds, start=st.integers(0, 150), length=st.integers(1, 150))
@few
def test_order_and_chunks_of_pixels_do_not_matter(seed: int, start: int, length: int) -> None:
    """Permuting pixels permutes their evidence, and a run of them alone gives its bits within the whole."""
    case = random_case(seed, 300)
    whole = ask(case)
    order = np.random.default_rng(seed).permutation(300)
    for index in (order, np.arange(start, start + length)):
        part = ask(pick(case, index))
        assert np.array_equal(part.ratio, whole.ratio[index], equal_nan=True)
        assert all(np.array_equal(a, b[index]) for a, b in zip(part.shows, whole.shows, strict=True))


def test_no_pixels_no_evidence() -> None:
    """An empty tile is answered with empty arrays."""
    assert ask(pick(random_case(4, 10), np.arange(0))).ratio.shape == (0,)


def test_arguments_are_left_alone() -> None:
    """Looks, memory, baseline and model are read, not written."""
    case = random_case(5, 200)

    def everything() -> list[np.ndarray]:
        held = [
            case["reflectance"],
            case["quality"],
            *case["shown"],
            *case["prediction"],
            *case["moment"],
            *case["model"],
        ]
        return [array.copy() for array in held if isinstance(array, np.ndarray)]

    before = everything()
    ask(case)
    assert all(np.array_equal(a, b) for a, b in zip(before, everything(), strict=True))


# ---------------------------------------------------------------- what a baseline may take in


def usable(spectrum: np.ndarray, quality: int = CLEAR, bands: Sequence[str] = BANDS) -> bool:
    keep = [BANDS.index(band) for band in bands]
    return bool(ev.usable(steps(spectrum)[keep, None], np.array([quality], np.uint8), bands=bands)[0])


def test_a_baseline_takes_clear_and_doubtful_looks() -> None:
    """Clear and doubtful looks with every band enter a baseline; no data, cloud and failed reads do not."""
    codes = {code: usable(FOREST.mean, code) for code in (NODATA, CLOUDED, DOUBTFUL, CLEAR, MISSING)}
    assert codes == {NODATA: False, CLOUDED: False, DOUBTFUL: True, CLEAR: True, MISSING: False}
    holed = FOREST.mean.copy()
    holed[4] = spectra.NODATA_REFLECTANCE * spectra.UNIT
    assert not usable(holed)


def test_a_baseline_takes_no_haze() -> None:
    """Haze by its own spectrum stays out, sand and turbid water do not; without blue nothing can be told."""
    hazy = blend(FOREST.mean, {"white": 0.5})
    assert not usable(hazy)
    assert usable(hazy, bands=BANDS[1:])
    assert all(usable(COVER[name]) for name in ("sand", "laterite", "turbid", "pond", "straw", "char"))


@pytest.mark.parametrize("level", range(0, 4001, 400))
def test_baseline_and_evidence_agree_on_haze(level: int) -> None:
    """At the very edge of the haze test too, what a baseline may take in is what evidence looks at."""
    case = random_case(6, 3)
    case["quality"][:], case["prediction"].n[:] = CLEAR, 40
    case["reflectance"][:] = 1000
    case["reflectance"][BANDS.index("red")] = level
    case["reflectance"][BANDS.index("blue")] = level // 2 + np.array([799, 800, 801])
    looked_at = np.isfinite(ask(case).ratio)
    assert np.array_equal(looked_at, ev.usable(case["reflectance"], case["quality"], bands=BANDS))
