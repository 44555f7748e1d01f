"""Checkpoints: the states of a tile's detector, found again by the looks that made them.

A checkpoint is the state after applying an ordered list of look keys. It may be resumed from only when that list is a
prefix of the list wanted now; the longest such prefix wins. So a new scene, a late one, a reprocessed one, a healed
read and an earlier as-of are one and the same thing: replay from the longest matching prefix. `chain` names everything
else that the state depends on (detector, options, code, tile, AOI, bands, periods). A damaged file is never trusted:
it is reported and passed over. Arrays go in and come out as numpy arrays; what they mean is the detector's business.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from geomon.model import digest
from geomon.store.atomic import age, discard, write_whole

_META = "meta.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's first day: equal states give equal bytes
_FEW = 4
"""So many looks are cheap to replay, however little late a scene is."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A detector state and the looks that led to it."""

    keys: tuple[str, ...]
    arrays: Mapping[str, np.ndarray[Any, Any]]
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Looks applied."""
        return len(self.keys)


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, keep: int) -> None:
    """Write a checkpoint whole, then keep the shortest prefix of its list (the baseline) and `keep` others.

    Those are this one, the longest of a longer list (a later as-of), and of the other prefixes those that lie at
    growing distances before this one: a late scene replays about as many looks as it is late. What is no prefix goes
    first. Places are counted in looks, never in file times, so that one look a run and all at once thin alike.

    Parameters
    ----------
    folder : Path
        Directory of the tile's chain.
    checkpoint : Checkpoint
        `meta` must be JSON; arrays may have any numpy dtype but object.
    keep : int
        How many besides the baseline.
    """
    path = folder / _name(checkpoint.keys)
    write_whole(path, lambda temp: _write(temp, checkpoint))
    prefixes = _matching(folder, checkpoint.keys)
    others = [other for other in _listed(folder) if other not in prefixes]
    longer = sorted((other for other in others if _length(other) > checkpoint.n), key=_length, reverse=True)
    ranked = [path, *longer[:1], *_by_use(prefixes), *longer[1:], *sorted(others, key=age, reverse=True)]
    for stale in [other for other in dict.fromkeys(ranked) if other != prefixes[-1]][keep:]:
        discard(stale)


def best_checkpoint(folder: Path, keys: Sequence[str]) -> tuple[Checkpoint | None, tuple[str, ...]]:
    """The state of the longest list that is a prefix of `keys`, and the names of damaged files passed over."""
    damaged: list[str] = []
    for path in _matching(folder, keys):
        found = _read(path, keys)
        if found is not None:
            return found, tuple(damaged)
        damaged.append(path.name)
    return None, tuple(damaged)


def longest_prefix(folder: Path, keys: Sequence[str]) -> int | None:
    """How many of `keys` need not be read again, judged by names alone; None without any checkpoint."""
    return next((_length(path) for path in _matching(folder, keys)), None)


def _matching(folder: Path, keys: Sequence[str]) -> list[Path]:
    """Checkpoints whose name says that they hold a prefix of `keys`, longest first."""
    fitting = [path for path in _listed(folder) if _length(path) <= len(keys)]
    return sorted((p for p in fitting if p.name == _name(keys[: _length(p)])), key=_length, reverse=True)


def _by_use(prefixes: Sequence[Path]) -> list[Path]:
    """What lies between the first (newest) and the last (baseline), that which may go soonest last.

    Without a checkpoint, a scene that comes just before the next newer one is replayed from the next older one. That
    is the cheapest loss where it is the least multiple of how late such a scene is.
    """
    chain, going = list(prefixes), list[Path]()
    newest = _length(chain[0])
    while len(chain) > 2:
        costs = [
            (newest - _length(older)) / (newest - _length(newer) + _FEW)
            for newer, older in zip(chain, chain[2:], strict=False)
        ]
        going.append(chain.pop(1 + costs.index(min(costs))))
    return going[::-1]


def _name(keys: Sequence[str]) -> str:
    return f"{len(keys):06d}-{digest(list(keys))[:24]}.npz"


def _listed(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("[0-9]*-*.npz")) if path.name.split("-")[0].isdigit()]


def _length(path: Path) -> int:
    return int(path.name.split("-")[0])


def _write(path: Path, checkpoint: Checkpoint) -> None:
    """A zip of arrays as numpy writes them, followed by the SHA-256 of all that."""
    head = {"keys": list(checkpoint.keys), "meta": dict(checkpoint.meta), "arrays": sorted(checkpoint.arrays)}
    with zipfile.ZipFile(path, "w", allowZip64=True) as box:
        box.writestr(zipfile.ZipInfo(_META, _EPOCH), json.dumps(head, sort_keys=True, allow_nan=False))
        for name in head["arrays"]:
            array = np.asarray(checkpoint.arrays[name])
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.compress_type = _compression(array)
            with box.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    whole = _sha256(path, path.stat().st_size)
    with path.open("ab") as file:
        file.write(whole)


def _compression(array: np.ndarray[Any, Any]) -> int:
    """Deflate what shrinks: noise of floats would cost seconds and gain nothing, so a sample decides."""
    sample = np.ascontiguousarray(array.reshape(-1)[:: max(1, array.size // 16384)]).tobytes()
    small = len(zlib.compress(sample, 1)) < 0.5 * len(sample)
    return zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED


def _read(path: Path, keys: Sequence[str]) -> Checkpoint | None:
    """The checkpoint in a file; None when it is damaged or of other looks. Nothing is parsed before it is verified."""
    try:
        size = path.stat().st_size - hashlib.sha256().digest_size
        with path.open("rb") as file:
            file.seek(max(size, 0))
            if size <= 0 or file.read() != _sha256(path, size):
                return None
        with zipfile.ZipFile(path) as box:
            head = json.loads(box.read(_META))
            arrays = {name: _member(box, name) for name in head["arrays"]}
    except OSError:  # removed meanwhile, or the disk cannot read it
        return None
    found = Checkpoint(keys=tuple(head["keys"]), arrays=arrays, meta=head["meta"])
    return found if found.keys == tuple(keys[: found.n]) else None


def _member(box: zipfile.ZipFile, name: str) -> np.ndarray[Any, Any]:
    with box.open(f"{name}.npy") as member:
        return np.asarray(np.lib.format.read_array(member, allow_pickle=False))


def _sha256(path: Path, size: int) -> bytes:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(size, 1 << 20))):
            found.update(block)
            size -= len(block)
    return found.digest()
