"""Laws of the quality codes, and scipy's morphology as the obvious twin of ours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from geomon.kernels.quality import (
    CLEAR,
    CLOUD_BUFFER_PX,
    CLOUDED,
    CORE_PX,
    DOUBTFUL,
    HALO_PX,
    NODATA,
    SHADOW_BUFFER_PX,
    SHADOW_CORE_PX,
    contestable,
    dilate,
    is_ground,
    opening,
    quality_from_scl,
)
from geomon.kernels.spectra import NODATA_REFLECTANCE, UNIT, spectral_model

VEGETATION, CLOUD, SHADOW = 4, 9, 3
masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))
radii = st.integers(0, 6)


def square(side: int) -> np.ndarray:
    return np.ones((side, side), np.bool_)


def sky(height: int, width: int, fill: int = VEGETATION) -> np.ndarray:
    """A scene classification of one class, halo included."""
    return np.full((height + 2 * HALO_PX, width + 2 * HALO_PX), fill, np.uint8)


def paint(scl: np.ndarray, row: int, col: int, side: int, code: int) -> None:
    """Set a square whose first pixel is (row, col) of the tile, which may lie in the halo."""
    scl[HALO_PX + row : HALO_PX + row + side, HALO_PX + col : HALO_PX + col + side] = code


def blotches(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A scene of random squares of every class, from a pixel to half the scene."""
    scl = np.full(shape, VEGETATION, np.uint8)
    for _ in range(60):
        row, col = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        side = int(rng.choice((1, 2, 4, 5, 8, 11, 12, 20)))
        scl[row : row + side, col : col + side] = rng.integers(0, 12)
    return scl


@given(mask=masks, radius=radii, outside=st.booleans())
def test_dilation_is_scipys(mask: np.ndarray, radius: int, outside: bool) -> None:
    """A pixel is set when any pixel of the square around it is, those beyond the edge being what `outside` says."""
    expected = ndimage.binary_dilation(mask, square(2 * radius + 1), border_value=outside)
    assert np.array_equal(dilate(mask, radius, outside=outside), expected)


@given(mask=masks, radius=radii)
def test_opening_is_scipys(mask: np.ndarray, radius: int) -> None:
    """What is left is where a whole square of set pixels fits, and that square counts within the picture only."""
    side = 2 * radius + 1
    assert np.array_equal(opening(mask, side), ndimage.binary_opening(mask, square(side)))


@given(mask=masks, radius=radii)
def test_opening_is_idempotent_and_shrinks(mask: np.ndarray, radius: int) -> None:
    """Opening never sets a pixel, and a second opening changes nothing."""
    once = opening(mask, 2 * radius + 1)
    assert not (once & ~mask).any()
    assert np.array_equal(opening(once, 2 * radius + 1), once)


@given(seed=st.integers(0, 2**32 - 1), row=st.integers(1, 39), col=st.integers(1, 59))
def test_windows_with_a_halo_give_what_the_whole_gives(seed: int, row: int, col: int) -> None:
    """Cutting a scene in four, each with its halo, changes no code: answers do not depend on the tiling."""
    scl = blotches(np.random.default_rng(seed), (40 + 2 * HALO_PX, 60 + 2 * HALO_PX))
    halo = 2 * HALO_PX
    parts = [
        [quality_from_scl(scl[rows, cols]) for cols in (slice(0, col + halo), slice(col, None))]
        for rows in (slice(0, row + halo), slice(row, None))
    ]
    assert np.array_equal(np.block(parts), quality_from_scl(scl))


@pytest.mark.parametrize(
    ("code", "core", "buffer"), [(CLOUD, CORE_PX, CLOUD_BUFFER_PX), (SHADOW, SHADOW_CORE_PX, SHADOW_BUFFER_PX)]
)
def test_a_large_cloud_is_believed_and_grows(code: int, core: int, buffer: int) -> None:
    """A cloud or shadow that holds the core square is CLOUDED with its buffer, and all beyond stays CLEAR."""
    scl = sky(50, 60)
    paint(scl, 20, 25, core, code)
    expected = np.full((50, 60), CLEAR, np.uint8)
    expected[20 - buffer : 20 + core + buffer, 25 - buffer : 25 + core + buffer] = CLOUDED
    assert np.array_equal(quality_from_scl(scl), expected)


@pytest.mark.parametrize(("code", "core"), [(CLOUD, CORE_PX), (SHADOW, SHADOW_CORE_PX)])
def test_a_small_cloud_is_doubtful(code: int, core: int) -> None:
    """A cloud or shadow a pixel too small to be believed, in clear surroundings, is DOUBTFUL and does not grow."""
    scl = sky(50, 60)
    paint(scl, 20, 25, core - 1, code)
    expected = np.full((50, 60), CLEAR, np.uint8)
    expected[20 : 20 + core - 1, 25 : 25 + core - 1] = DOUBTFUL
    assert np.array_equal(quality_from_scl(scl), expected)


def test_a_small_cloud_near_a_large_one_is_clouded() -> None:
    """A fragment within the buffer of a believed cloud is part of it; one beyond is DOUBTFUL."""
    scl = sky(50, 60)
    paint(scl, 20, 20, CORE_PX, CLOUD)
    edge = 20 + CORE_PX + CLOUD_BUFFER_PX
    paint(scl, 25, edge - 1, 1, CLOUD)
    paint(scl, 25, edge + 2, 1, CLOUD)
    found = quality_from_scl(scl)
    assert found[25, edge - 1] == CLOUDED
    assert found[25, edge + 2] == DOUBTFUL


def test_a_cloud_beyond_the_edge_reaches_in() -> None:
    """A believed cloud that lies in the halo alone still casts its buffer into the tile."""
    scl = sky(30, 30)
    paint(scl, 5, -CORE_PX, CORE_PX, CLOUD)
    found = quality_from_scl(scl)
    assert (found[5 : 5 + CORE_PX, :CLOUD_BUFFER_PX] == CLOUDED).all()
    assert (found[:, CLOUD_BUFFER_PX:] == CLEAR).all()


@pytest.mark.parametrize("side", [1, 30])
def test_no_data_wins(side: int) -> None:
    """SCL 0 is NODATA whatever stands around it, within a believed cloud too."""
    scl = sky(40, 40, CLOUD)
    paint(scl, 3, 4, side, 0)
    expected = np.full((40, 40), CLOUDED, np.uint8)
    expected[3 : 3 + side, 4 : 4 + side] = NODATA
    assert np.array_equal(quality_from_scl(scl) == NODATA, expected == NODATA)


@pytest.mark.parametrize("code", [2, 4, 5, 6, 7])
def test_what_the_mission_is_about_is_clear(code: int) -> None:
    """Dark, vegetated, bare, wet and unclassified ground is never masked."""
    assert (quality_from_scl(sky(20, 20, code)) == CLEAR).all()


@pytest.mark.parametrize("code", [1, 3, 8, 9, 10, 11])
def test_an_overcast_scene_is_clouded(code: int) -> None:
    """Saturated, shadow, cloud, cirrus and snow classes from edge to edge leave no pixel."""
    assert (quality_from_scl(sky(20, 20, code)) == CLOUDED).all()


def mixed(ground: np.ndarray, white: float) -> tuple[np.ndarray, np.ndarray]:
    """Blue and red of a ground under a share of white cloud, as reflectance is stored."""
    cloud = spectral_model(("blue", "red")).white
    blue, red = np.rint((ground + white * (cloud - ground)) / UNIT).astype(np.int16)
    return np.array([blue]), np.array([red])


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_bare_and_turbid_ground_is_ground(kind: int) -> None:
    """Bright sand, red soil and turbid water pass for ground: a pit must not hide behind its brightness."""
    ground = spectral_model(("blue", "red")).mined[kind]
    assert is_ground(*mixed(ground, 0.0), unit=UNIT).all()


@given(white=st.floats(0.2, 1.0), kind=st.sampled_from(("bright", "red", "turbid", "straw", "leaf")))
def test_cloud_is_never_ground(white: float, kind: str) -> None:
    """From a fifth of white on, whatever lies below is cloud; leaves are not ground under any sky."""
    model = spectral_model(("blue", "red"))
    spectra = dict(zip(("bright", "red", "turbid"), model.mined, strict=False), straw=model.straw, leaf=model.leaf)
    assert not is_ground(*mixed(spectra[kind], white), unit=UNIT).any()
    assert not is_ground(*mixed(model.leaf, 1.0 - white), unit=UNIT).any()


def test_no_data_and_darkness_are_not_ground() -> None:
    """A missing band or next to no light says nothing about the ground."""
    blue = np.array([NODATA_REFLECTANCE, 600, -900, 100], np.int16)
    red = np.array([3000, NODATA_REFLECTANCE, -900, 400], np.int16)
    assert not is_ground(blue, red, unit=UNIT).any()


@pytest.mark.parametrize(("code", "open_to"), [(8, True), (9, True), (1, False), (3, False), (10, False), (11, False)])
def test_only_cloud_classes_are_contested(code: int, open_to: bool) -> None:
    """A spectrum may overrule medium and high cloud; never saturation, shadow, cirrus or snow, never a clear class."""
    scl = sky(50, 60)
    paint(scl, 10, 15, 25, code)
    expected = np.zeros((50, 60), np.bool_)
    expected[10:35, 15:40] = open_to
    assert np.array_equal(contestable(scl), expected)


def test_deep_cloud_and_shadow_are_not_contested() -> None:
    """An overcast tile has nothing to contest, a cloud's edge has HALO_PX of it, and a shadow's margin has none."""
    assert not contestable(sky(40, 40, CLOUD)).any()
    scl = sky(60, 60, CLOUD)
    scl[:, :HALO_PX] = VEGETATION
    assert np.array_equal(contestable(scl), np.broadcast_to(np.arange(60) < HALO_PX, (60, 60)))
    paint(scl, 20, -SHADOW_CORE_PX, SHADOW_CORE_PX, SHADOW)
    assert not contestable(scl)[20 : 20 + SHADOW_CORE_PX, :SHADOW_BUFFER_PX].any()


@given(seed=st.integers(0, 2**32 - 1), row=st.integers(1, 39), col=st.integers(1, 59))
def test_what_is_contested_does_not_depend_on_the_tiling(seed: int, row: int, col: int) -> None:
    """Four windows with their halo contest what the whole scene does."""
    scl = blotches(np.random.default_rng(seed), (40 + 2 * HALO_PX, 60 + 2 * HALO_PX))
    halo = 2 * HALO_PX
    parts = [
        [contestable(scl[rows, cols]) for cols in (slice(0, col + halo), slice(col, None))]
        for rows in (slice(0, row + halo), slice(row, None))
    ]
    assert np.array_equal(np.block(parts), contestable(scl))


@pytest.mark.parametrize("shape", [(2 * HALO_PX, 99), (99, 2 * HALO_PX), (5, 5)])
def test_a_window_without_a_tile_is_refused(shape: tuple[int, int]) -> None:
    """A window that is nothing but halo holds no pixel to answer for."""
    with pytest.raises(ValueError, match="halo"):
        quality_from_scl(np.zeros(shape, np.uint8))


def test_arguments_are_left_alone() -> None:
    """The scene classification and the masks are read, not written."""
    scl = blotches(np.random.default_rng(1), (80, 90))
    mask = scl > 7
    kept, kept_mask = scl.copy(), mask.copy()
    quality_from_scl(scl)
    opening(mask, 5)
    dilate(mask, 3, outside=True)
    assert np.array_equal(scl, kept)
    assert np.array_equal(mask, kept_mask)
