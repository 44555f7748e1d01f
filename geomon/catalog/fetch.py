"""Documents read from disk or the network: the one place of the catalogue that opens, waits and tries again.

In: places that `hrefs` let through. Out: parsed JSON, or why a document is gone or cannot be used. Every wait has an
end: a time-out per socket operation, a deadline per try, a bounded number of tries, a bound on bytes. What the JSON
means is decided elsewhere.
"""

from __future__ import annotations

import errno
import http.client
import json
import ssl
import stat
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import monotonic

import tenacity

from geomon.catalog.hrefs import is_remote, show
from geomon.errors import CatalogUnavailable, ItemRefused

Outcome = tuple[str, object]
"""A place and its parsed JSON, or the `ItemRefused` that says why there is none and will be none."""

_TRANSIENT_CODES = frozenset({408, 425, 429, 500, 502, 503, 504})
_GONE_CODES = frozenset({404, 410})
_GONE_ERRNOS = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL}
)
"""What a wrong path or a withheld file says; any other error is the disk's, and passes or is mended."""

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """Where reading a catalogue stops.

    `timeout_s` is the longest silence of a server, `total_s` the longest time for one document with all its `tries`,
    the first wait between them `wait_s` (then doubled). Values chosen for a slow uplink: 16 MB of JSON is a hundred
    times a large item.
    """

    timeout_s: float = 15.0
    total_s: float = 60.0
    tries: int = 4
    wait_s: float = 0.5
    max_bytes: int = 16 * 1024 * 1024
    max_items: int = 100_000
    max_depth: int = 24
    threads: int = 8


DEFAULT_LIMITS = Limits()


class _Transient(Exception):
    """Worth another try, not before `after_s`."""

    def __init__(self, reason: str, *, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.after_s = after_s


def read_documents(locations: Sequence[str], limits: Limits) -> Iterator[Outcome]:
    """Read JSON documents in the given order, remote ones by several threads, never far ahead of what is consumed.

    Raises
    ------
    CatalogUnavailable
        A remote document could not be had after all tries, or a disk failed. (One that is gone, or a local one that
        is no JSON, is an outcome.)
    """
    if not any(map(is_remote, locations)):
        yield from ((location, _read_local(location, limits)) for location in locations)
        return
    window = limits.threads * 4
    with ThreadPoolExecutor(limits.threads, thread_name_prefix="catalog") as pool:
        try:
            for start in range(0, len(locations), window):
                part = locations[start : start + window]
                yield from zip(part, pool.map(lambda location: _read(location, limits), part), strict=True)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _read(location: str, limits: Limits) -> object:
    return _read_remote(location, limits) if is_remote(location) else _read_local(location, limits)


def _read_local(location: str, limits: Limits) -> object:
    path = Path(location)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return ItemRefused(f"expected a JSON file, got something that is not a file at {show(location)}")
        with path.open("rb") as stream:
            content = stream.read(limits.max_bytes + 1)
    except OSError as err:
        if err.errno not in _GONE_ERRNOS:
            got = f"an error of its disk ({err.strerror})"
            raise _unavailable(location, got, "nothing was decided without it, run the job again later") from err
        return ItemRefused(f"expected a JSON file at {show(location)}, but it cannot be read ({err.strerror})")
    try:
        return _parse(content, limits)
    except ValueError as err:
        return ItemRefused(f"expected JSON in {show(location)}, got something else ({err})")


def _parse(content: bytes, limits: Limits) -> object:
    """Parse JSON; any fault of the text is a ValueError."""
    if len(content) > limits.max_bytes:
        raise ValueError(f"more than {limits.max_bytes} bytes")
    try:
        return json.loads(content)
    except RecursionError as err:
        raise ValueError("nested too deeply") from err


def _read_remote(url: str, limits: Limits) -> object:
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_Transient),
        stop=tenacity.stop_after_attempt(limits.tries) | tenacity.stop_before_delay(limits.total_s),
        wait=_wait(limits),
        reraise=True,
    )
    deadline = monotonic() + limits.total_s
    try:
        return retrying(_get, url, limits, deadline)
    except _Transient as err:
        got = f"none in {retrying.statistics['attempt_number']} tries ({err})"
        raise _unavailable(url, got, "nothing was decided without it, run the job again later") from err


def _wait(limits: Limits) -> Callable[[tenacity.RetryCallState], float]:
    """Double the wait at each try, or wait as long as the server asks for."""
    doubling = tenacity.wait_exponential(multiplier=limits.wait_s, max=8.0)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(doubling(state), error.after_s if isinstance(error, _Transient) else 0.0)

    return wait


def _get(url: str, limits: Limits, deadline: float) -> object:
    request = urllib.request.Request(url, headers={"Accept": "application/json, */*", "User-Agent": "geomon"})
    timeout = max(0.1, min(limits.timeout_s, deadline - monotonic()))
    try:
        with _opener().open(request, timeout=timeout) as response:
            return _parse(_drain(response, limits, deadline), limits)
    except urllib.error.HTTPError as err:
        with err:
            if err.code in _TRANSIENT_CODES:
                raise _Transient(f"HTTP {err.code}", after_s=_retry_after(err, limits)) from err
            if err.code in _GONE_CODES:
                return ItemRefused(f"expected JSON from {_shown(url)}, got HTTP {err.code}: it is gone")
            remedy = "restore the document or take its link out of the catalogue, then run the job again"
            raise _unavailable(url, f"HTTP {err.code}", remedy) from err
    except (OSError, http.client.HTTPException) as err:  # URLError and time-outs are OSErrors
        raise _Transient(f"{type(err).__name__}: {err}"[:200]) from err
    except ValueError as err:
        raise _Transient(f"not JSON: {err}"[:200]) from err


def _drain(response: http.client.HTTPResponse, limits: Limits, deadline: float) -> bytes:
    """Read a whole body, within bytes and time even if it drips."""
    expected = response.headers.get("Content-Length", "")
    parts: list[bytes] = []
    size = 0
    while chunk := response.read1(_CHUNK):
        parts.append(chunk)
        size += len(chunk)
        if size > limits.max_bytes:
            raise _unavailable(response.url, f"more than the at most {limits.max_bytes} bytes", "split the document")
        if monotonic() > deadline:
            raise TimeoutError(f"only {size} bytes in {limits.total_s:g} s")
    if expected.isdecimal() and size < int(expected[:12]):
        raise http.client.IncompleteRead(b"", int(expected[:12]) - size)
    return b"".join(parts)


def _retry_after(err: urllib.error.HTTPError, limits: Limits) -> float:
    text = (err.headers.get("Retry-After") or "").strip()
    return min(float(text), limits.total_s) if text.isdecimal() and len(text) < 6 else 0.0


@cache  # reading the CA bundle takes 30 ms
def _opener() -> urllib.request.OpenerDirector:
    """Make an opener for http(s) alone: no file, ftp or data URL is followed, whatever a redirect says."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _unavailable(location: str, got: str, remedy: str) -> CatalogUnavailable:
    href = _shown(location)
    return CatalogUnavailable(f"expected JSON from {href}, got {got}; {remedy}", href=href)


def _shown(location: str) -> str:
    """Name a URL without its query, which may hold a key."""
    return show(location.split("?", 1)[0] if is_remote(location) else location)
