"""Whole or absent: every file and directory of the store comes into being through this module.

Bytes (or a function that writes a file) come in, a complete file or directory goes out by one rename; a kill, a full
disk or a read-only store leave what was there before. What the operating system refuses becomes `StoreUnavailable`,
once, here. Leftovers of killed runs carry the prefix `TEMP` and may be removed by whoever holds the store's lock.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from geomon.errors import StoreUnavailable

TEMP = ".tmp-"
"""Prefix of everything that is not yet whole."""

_ADVICE = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the disk quota is used up: make room",
    errno.EFBIG: "the file size limit is reached: raise it",
    errno.EROFS: "the file system is read-only: remount it or choose another store",
    errno.EACCES: "no permission to write there: change it or choose another store",
    errno.EPERM: "no permission to write there: change it or choose another store",
    errno.ENOTDIR: "a file stands where a directory is needed: move it away",
    errno.EEXIST: "a file stands where a directory is needed: move it away",
}


_FOREIGN = (RuntimeError, sqlite3.Error)
"""What GDAL's vector drivers and SQLite raise when the disk is full; else they are bugs."""
_SPARE_BYTES = 1 << 20


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about `path` into `StoreUnavailable`."""
    try:
        yield
    except OSError as err:
        raise _unavailable(path, err.errno or 0, err.strerror or str(err)) from err
    except _FOREIGN as err:
        if not _is_full(path):
            raise
        raise _unavailable(path, errno.ENOSPC, str(err)) from err


def _unavailable(path: Path, number: int, reason: str) -> StoreUnavailable:
    message = (
        f"the store must be able to write {path}, but: {reason}; {_ADVICE.get(number, 'mend that')}, then run again. "
    )
    return StoreUnavailable(message + "What was there before is untouched.", path=str(path))


def _is_full(path: Path) -> bool:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    return shutil.disk_usage(there).free < _SPARE_BYTES


def make_dir(path: Path) -> Path:
    """Create a directory of the store with its parents."""
    with store_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def temp_beside(path: Path) -> Path:
    """A name in the same directory, with the same suffix, that nobody else uses."""
    return path.with_name(f"{TEMP}{os.getpid()}-{secrets.token_hex(4)}-{path.name}")


def write_whole(path: Path, content: bytes | Callable[[Path], object]) -> None:
    """Write one file whole or not at all.

    Parameters
    ----------
    path : Path
        The file; its directory is created when missing.
    content : bytes or callable
        The bytes, or a function that writes the file whose path it is given (same suffix as `path`).
    """
    make_dir(path.parent)
    temp = temp_beside(path)
    try:
        with store_errors(path):
            if isinstance(content, bytes):
                temp.write_bytes(content)
            else:
                content(temp)
            _sync(temp)
            temp.replace(path)
            _sync(path.parent)
    finally:
        discard(temp)


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON with sorted keys, whole or not at all; NaN and infinity are refused."""
    write_whole(
        path, (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()
    )


def read_json(path: Path) -> dict[str, object] | None:
    """The JSON object in a file of ours; None when it is absent or damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@contextmanager
def new_dir(final: Path) -> Iterator[Path]:
    """A temporary directory that becomes `final`, whole, when the block ends without error.

    What stood at `final` before is replaced; between the two renames it is absent, never half.
    """
    make_dir(final.parent)
    temp = temp_beside(final)
    try:
        make_dir(temp)
        with store_errors(temp):
            yield temp
        replace_dir(temp, final)
    finally:
        discard(temp)


def replace_dir(temp: Path, final: Path) -> None:
    """Make a finished directory durable and give it its final name, in place of what had that name."""
    with store_errors(final):
        sync_tree(temp)
        if final.exists():
            old = temp_beside(final)
            final.rename(old)
            temp.rename(final)
            discard(old)
        else:
            temp.rename(final)
        _sync(final.parent)


def point(link: Path, target: Path) -> None:
    """Make `link` a relative symbolic link to `target`, swapped by one rename."""
    make_dir(link.parent)
    if link.exists() and not link.is_symlink():
        raise StoreUnavailable(
            f"{link} must be a link that geomon swaps, found a file or directory; move it away and run again."
        )
    temp = temp_beside(link)
    try:
        with store_errors(link):
            temp.symlink_to(os.path.relpath(target, link.parent))
            temp.replace(link)
            _sync(link.parent)
    finally:
        discard(temp)


def place(source: Path, target: Path) -> None:
    """Give a finished, never changing file a second place: a hard link where the file system can, else a copy."""
    make_dir(target.parent)
    try:
        target.hardlink_to(source)
    except OSError:
        write_whole(target, lambda temp: shutil.copyfile(source, temp))


def sweep(root: Path) -> int:
    """Remove what killed runs left under `root`; the caller holds the lock. The count removed."""
    leftovers = [path for path in _walk(root) if path.name.startswith(TEMP)]
    for path in leftovers:
        discard(path)
    return len(leftovers)


def discard(path: Path) -> None:
    """Remove a file, link or directory; not being there, or not being removable, is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink()


def age(path: Path) -> tuple[int, str]:
    """Sorts files from the oldest to the newest, by name where the clock cannot tell."""
    try:
        return path.stat().st_mtime_ns, path.name
    except OSError:  # removed meanwhile
        return 0, path.name


def sync_tree(root: Path) -> None:
    """Ask the disk to hold every file and directory under `root`."""
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            _sync(Path(folder, name))
        _sync(Path(folder))


def sizes(root: Path) -> Mapping[str, int]:
    """Bytes of every file under `root`, by relative path."""
    return {
        path.relative_to(root).as_posix(): path.stat().st_size for path in sorted(root.rglob("*")) if path.is_file()
    }


def size(path: Path) -> int | None:
    """Bytes of a file; None when it is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def _sync(path: Path) -> None:
    if path.is_symlink():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _walk(root: Path) -> Iterator[Path]:
    """Every file and directory under `root`, not below leftovers and not through links."""
    for folder, names, files in os.walk(root):
        yield from (Path(folder, name) for name in (*names, *files))
        names[:] = [name for name in names if not name.startswith(TEMP)]
