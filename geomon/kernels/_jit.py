"""How every compiled kernel is compiled: one decorator, one block length, one way to hand over an array.

The product stands on a law: pixels are independent, to the bit, whatever their order and however an area is cut into
tiles and chunks. Three choices made here hold it up.

- Work goes in blocks of exactly `LANES` pixels, the last one padded. A loop over a constant number of lanes has no
  scalar remainder, so no pixel is ever computed by other instructions than its neighbour.
- Sums may be fused (multiply-add) but not reordered: ``reassoc`` and ``arcp`` stay out of `FASTMATH`, so vector and
  scalar code round alike and the result does not depend on the vector width. They gained nothing when measured.
- ``nnan`` stays out as well: the kernels tell *not clear* by NaN.

Numba looks only at a kernel's own file to see whether its cached machine code is stale. So a kernel and all that it
calls live in one module; after a change in *this* file delete ``__pycache__``.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba  # type: ignore[import-untyped,unused-ignore]  # numba ships no type information
import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float32]

LANES = 512
"""Pixels in a block: fastest of 128, 256, 512 and 1024, and a block of 100 dates stays in a level-2 cache."""

LARGEST = np.float32(np.finfo(np.float32).max)
"""``abs(x) <= LARGEST`` is true for a finite number only, NaN included, in one comparison that vectorises."""

CACHE_LINE_BYTES = 64

FASTMATH = frozenset({"contract"})

_Function = TypeVar("_Function", bound=Callable[..., Any])


def kernel(function: _Function) -> _Function:
    """Compile a function on arrays: cached on disk, free of the interpreter lock, division by zero as in numpy."""
    compiled = numba.njit(cache=True, fastmath=set(FASTMATH), error_model="numpy", nogil=True)(function)
    return cast(_Function, compiled)


def frozen(array: ArrayLike, dtype: type[np.generic] = np.float32) -> NDArray[Any]:
    """Return a read-only, C-contiguous view of an array; a copy only if its type or layout differs.

    Read-only arrays are a type of their own to numba: handing over every input as one spares a second compilation
    when a caller's array is not writeable, and lets the compiler refuse a kernel that writes into its input.
    """
    view = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view


def aligned_zeros(shape: tuple[int, ...]) -> FloatArray:
    """Return zeros that begin on a cache line: vectors that straddle two cost the fit an eighth of its speed."""
    size = math.prod(shape)
    room = np.zeros(size + CACHE_LINE_BYTES // 4, np.float32)
    skip = -room.ctypes.data % CACHE_LINE_BYTES // 4
    return room[skip : skip + size].reshape(shape)
