"""Random fields and outlines, and the cells that lie in an outline.

In: a generator, sizes in metres, grid sizes. Out: fields (rows, columns), rings (n, 2) of x and y, flat cell indices.
It does not decide what they stand for.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage
from shapely.geometry import Polygon
from skimage.draw import polygon

from second.recipe import CELL_M, Bools, Doubles, Floats, Ints, Rng

TURN = 6.28
HALF_TURN = 3.1


def noise(rng: Rng, side: int, slope: float, outer: float | None = None) -> Floats:
    """Fractal field of mean 0 and sd 1: power falls as wavenumber to the -`slope`, flat beyond `outer` cells."""
    wave = np.fft.fftfreq(side)
    number = np.hypot(*np.meshgrid(np.abs(wave[: side // 2 + 1]), wave))
    number[0, 0] = 1
    if outer:
        number = np.hypot(number, 1 / outer)
    white = rng.standard_normal((side, side)).astype(np.float32)
    field = np.fft.irfft2(np.fft.rfft2(white) * (number ** (-slope / 2)), (side, side))
    return ((field - field.mean()) / field.std()).astype(np.float32)


def walk(
    rng: Rng, start: tuple[float, float, float], length: float, wobble: float, wave: float | None = None
) -> Doubles:
    """Walk in steps of 10 m from (x, y, direction), (steps + 1, 2); meanders if it has a wave length."""
    x, y, direction = start
    points, step = [(x, y)], 10.0
    drift, phase, amplitude = 0.0, rng.uniform(0, TURN), 0.8
    for number in range(int(length / step)):
        drift = 0.93 * drift + rng.normal(0, wobble)
        phase += rng.normal(0, 0.12) if wave else 0
        amplitude = 0.97 * amplitude + 0.03 * rng.normal(0.75, 1.3)
        bend = 0
        if wave:
            bend = float(np.clip(amplitude, 0.1, 1.35)) * math.sin(2 * math.pi * number * step / wave + phase)
        angle = direction + drift + bend
        x += step * math.cos(angle)
        y += step * math.sin(angle)
        points.append((x, y))
    return np.array(points)


def blob(
    rng: Rng,
    centre: Doubles,
    area: float,
    stretch: float = 1.0,
    angle: float | None = None,
    rough: float = 0.22,
) -> Doubles:
    """Ring of 40 points around a rounded patch of an area [m2], `stretch` times as long as wide."""
    around = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = np.zeros(40)
    for wave in range(2, 7):
        radius += rough / wave**0.8 * rng.normal() * np.cos(wave * around + rng.uniform(0, TURN))
    radius = np.exp(radius)
    turned = rng.uniform(0, np.pi) if angle is None else angle
    x, y = radius * np.cos(around) * stretch**0.5, radius * np.sin(around) / stretch**0.5
    scale = math.sqrt(area / Polygon(np.c_[x, y]).buffer(0).area)
    return np.c_[
        centre[0] + scale * (x * math.cos(turned) - y * math.sin(turned)),
        centre[1] + scale * (x * math.sin(turned) + y * math.cos(turned)),
    ]


def rectangle(rng: Rng, centre: Doubles, sides: tuple[float, float], angle: float, jitter: float = 0.06) -> Doubles:
    """Four corners, each a little off."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    off = corners * 0.5 * list(sides) * (1 + jitter * rng.normal(size=(4, 2)))
    return np.c_[
        centre[0] + off[:, 0] * math.cos(angle) - off[:, 1] * math.sin(angle),
        centre[1] + off[:, 0] * math.sin(angle) + off[:, 1] * math.cos(angle),
    ]


def soften(ring: Doubles) -> Doubles:
    """Cut the corners of a ring twice."""
    for _ in range(2):
        following = np.roll(ring, -1, 0)
        ring = np.concatenate(
            [[0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b] for a, b in zip(ring, following, strict=True)]
        )
    return ring


def cells_in(ring: Doubles, side: int) -> Ints:
    """Flat indices of the cells of ground whose centre lies in a ring."""
    rows, columns = polygon(ring[:, 1] / CELL_M - 0.5, ring[:, 0] / CELL_M - 0.5, (side, side))
    return rows * side + columns


def cells_along(line: Doubles, width: float | Doubles, side: int) -> Ints:
    """Flat indices of the cells of ground within half a width of a line."""
    along = np.gradient(line, axis=0)
    along /= np.hypot(*along.T)[:, None] + 1e-9
    across = np.c_[-along[:, 1], along[:, 0]]
    half = np.broadcast_to(np.asarray(width, float), (len(line),))[:, None] / 2
    left, right = line + across * half, line - across * half
    covered: Bools = np.zeros((side, side), bool)
    for here in range(len(line) - 1):
        piece = np.array([left[here], left[here + 1], right[here + 1], right[here]])
        covered[polygon(piece[:, 1] / CELL_M - 0.5, piece[:, 0] / CELL_M - 0.5, covered.shape)] = True
    return np.flatnonzero(covered)


def inwardness(cells: Ints, side: int) -> Floats:
    """Distance of each cell from the rim of a patch of cells, over the largest of them."""
    rows, columns = np.divmod(cells, side)
    top, left = rows.min(), columns.min()
    patch = np.zeros((rows.max() - top + 3, columns.max() - left + 3), bool)
    patch[rows - top + 1, columns - left + 1] = True
    distance = ndimage.distance_transform_edt(patch)[rows - top + 1, columns - left + 1]
    return (distance / distance.max()).astype(np.float32)


def halved(layer: Floats) -> Floats:
    """Mean of each two by two pixels."""
    half = len(layer) // 2
    return layer.reshape(half, 2, half, 2).mean((1, 3))
