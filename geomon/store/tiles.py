"""Tile results: the layers of one tile under one unit key, as COGs, and the record that proves they are whole.

Arrays named and typed as `geomon.schema.LAYERS` come in; a directory of one COG per layer plus `record.json` goes out
by one rename, and comes back by the same two names. The record holds a SHA-256 of every file: a directory whose record
is missing or does not match is not there. The GeoTIFFs are made in memory, so that a full disk is met by one plain
write and said as such.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geomon.errors import SchemaMismatch
from geomon.model import AlertStatus
from geomon.schema import Layer, layer
from geomon.store.atomic import new_dir, read_json, store_errors, write_json, write_whole

if TYPE_CHECKING:
    from geomon.grid import Tile

RECORD = "record.json"


@dataclass(frozen=True, slots=True)
class StoredTile:
    """A finished tile: its record, and its layers read on demand."""

    folder: Path
    record: Mapping[str, Any]

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that were written."""
        return tuple(Path(name).stem for name in sorted(self.record["files"]))

    def path(self, name: str) -> Path:
        """The COG of a layer."""
        return self.folder / f"{name}.tif"

    def read(self, name: str) -> np.ndarray[Any, Any]:
        """One layer, (h, w), or (bands, h, w) where its schema or the run gives it several bands."""
        import rasterio  # late: a run that has nothing to do does not pay for GDAL

        with store_errors(self.path(name)), rasterio.open(self.path(name)) as source:
            data = source.read()
            flat = layer(name).count == 1 and name not in self.record["stacked"]
        return np.asarray(data[0] if flat else data)


def save_tile(
    folder: Path, *, layers: Mapping[str, np.ndarray[Any, Any]], tile: Tile, record: Mapping[str, Any]
) -> None:
    """Write a tile's layers and record as one whole directory, replacing what had its name.

    Parameters
    ----------
    folder : Path
        Where; one directory per tile and unit key.
    layers : mapping of str to array
        Arrays (h, w) or (bands, h, w) by layer name, dtypes as in the schema.
    tile : Tile
        Grid of the arrays.
    record : mapping
        JSON facts of the unit; `files` and `stacked` are added here.
    """
    with new_dir(folder) as temp:
        files = {}
        for name in sorted(layers):
            content = _cog(layer(name), layers[name], tile=tile, tags=record.get("tags", {}))
            files[f"{name}.tif"] = hashlib.sha256(content).hexdigest()
            write_whole(temp / f"{name}.tif", content)
        stacked = sorted(name for name, array in layers.items() if array.ndim == 3)
        write_json(temp / RECORD, {**record, "files": files, "stacked": stacked})


def load_tile(folder: Path) -> StoredTile | None:
    """A finished tile; None when it is absent or not whole (every file is compared with its SHA-256)."""
    record = read_json(folder / RECORD)
    files = record.get("files") if record is not None else None
    if record is None or not isinstance(files, dict):
        return None
    if not all(_is_whole(folder / name, sha) for name, sha in files.items()):
        return None
    return StoredTile(folder=folder, record=record)


def _is_whole(path: Path, sha: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha
    except OSError:
        return False


def _cog(spec: Layer, array: np.ndarray[Any, Any], *, tile: Tile, tags: Mapping[str, str]) -> bytes:
    """The bytes of a cloud-optimised GeoTIFF; equal arrays give equal bytes."""
    from rasterio.io import MemoryFile  # as in StoredTile.read

    stack = array if array.ndim == 3 else array[np.newaxis]
    if array.dtype != np.dtype(spec.dtype) or stack.shape[1:] != tuple(tile.shape):
        expected = f"{spec.dtype} of shape {tuple(tile.shape)}"
        got = f"{array.dtype} of shape {array.shape}"
        raise SchemaMismatch(
            f"layer {spec.name!r} of tile {tile.name} must be {expected}, got {got}; mend the detector."
        )
    with MemoryFile() as memory:
        with memory.open(**_profile(spec, stack, tile)) as target:
            target.write(stack)
            target.update_tags(**_meaning(spec), **tags)
            for band in range(1, len(stack) + 1):
                target.set_band_description(band, spec.name if len(stack) == 1 else f"{spec.name}_{band}")
        return bytes(memory.read())


def _profile(spec: Layer, stack: np.ndarray[Any, Any], tile: Tile) -> dict[str, Any]:
    return {
        "driver": "COG",
        "dtype": spec.dtype,
        "count": len(stack),
        "height": stack.shape[1],
        "width": stack.shape[2],
        "crs": tile.lattice.crs,
        "transform": tile.transform,
        "nodata": spec.nodata,
        "blocksize": 512,
        "compress": "deflate",
        "predictor": "yes",
        "overview_resampling": "nearest",
    }


def _meaning(spec: Layer) -> dict[str, str]:
    """What a reader of the file needs: long names, unit, and the codes of a status layer in CF's words."""
    tags = {"long_name": spec.en, "long_name_fr": spec.fr, "units": spec.unit}
    if spec.unit == "AlertStatus":
        values = " ".join(str(int(status)) for status in AlertStatus)
        tags |= {"flag_values": values, "flag_meanings": " ".join(status.label for status in AlertStatus), "units": "1"}
    return tags
