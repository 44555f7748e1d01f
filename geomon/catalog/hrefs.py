"""Links of strangers turned into places that may be read, or refused.

In: an href as it stands in a document, and where that document lies. Out: an absolute path under the catalogue's own
directory, or an http(s) URL. Nothing is opened here, and nothing that GDAL would take for more than a file or a URL
gets through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from geomon.errors import ConfigError, ItemRefused

MAX_HREF = 4096
"""Longest href; signed URLs stay under 1,500 characters, URLs over 8,000 are refused by common servers."""

_ROOT_NAMES = ("catalog.json", "collection.json")
_HTTP = re.compile(r"https?://", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][\w+.-]*:")
_VSI = re.compile(r"(^|/)vsi[a-z0-9_]+([/?]|$)", re.IGNORECASE)
_BAD = re.compile(r'[<>"|\\`]')


class UnsafeHref(ItemRefused):
    """A link that leads outside the catalogue, or is not a plain file or URL."""


@dataclass(frozen=True, slots=True)
class Root:
    """Where a catalogue lies: its first document, and the directory (or URL prefix) that local links may not leave."""

    location: str
    directory: str

    def shorten(self, location: str) -> str:
        """Name a place for the record: relative to the catalogue where it can be, without query (it may hold a key)."""
        bare = location.split("?", 1)[0] if is_remote(location) else location
        return bare.removeprefix(self.directory.rstrip("/") + "/")


def is_remote(location: str) -> bool:
    """Whether a place is an http(s) URL."""
    return _HTTP.match(location) is not None


def show(value: object, *, limit: int = 120) -> str:
    """Quote a stranger's value for a message: one line, ASCII, bounded.

    Examples
    --------
    >>> show("a" * 200, limit=8)
    "'aaaaaaa..."
    """
    text = ascii(value) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
    return text if len(text) <= limit else f"{text[:limit]}..."


def find_root(catalog: str) -> Root:
    """Say where the catalogue of a config starts.

    Raises
    ------
    ConfigError
        Neither an http(s) URL nor a file (or a directory with a catalog.json or collection.json) that is there.
    """
    if is_remote(catalog):
        try:
            url = _check_url(catalog)
        except UnsafeHref as err:
            raise ConfigError(f"source.catalog: {err}; mend the config", catalog=show(catalog)) from err
        return Root(url, url.split("?", 1)[0].rpartition("/")[0])
    if _SCHEME.match(catalog) or "\0" in catalog:
        raise ConfigError(
            f"source.catalog must be a path or an http(s) URL, got {show(catalog)}; "
            "download the catalogue or give its address",
            catalog=show(catalog),
        )
    path = Path(catalog).absolute()
    if path.is_dir():
        path = next((path / name for name in _ROOT_NAMES if (path / name).is_file()), path / _ROOT_NAMES[0])
    if not path.is_file():
        raise ConfigError(
            f"source.catalog must be a STAC catalogue that is there, but {show(str(path))} is not; "
            "correct the path in the config",
            catalog=show(catalog),
        )
    directory = path.parent.resolve()
    return Root(str(directory / path.name), str(directory))


def resolve(href: object, *, base: str, root: Root) -> str:
    """Turn an href of the document at `base` into a place that may be read.

    Local documents may name files under the catalogue's directory (symlinks followed) and http(s) URLs, remote ones
    only http(s) URLs.

    Raises
    ------
    UnsafeHref
        Anything else.
    """
    text = _plain(href)
    if is_remote(text):
        return _check_url(text)
    if is_remote(base):
        _refuse_scheme(text)
        return _check_url(urljoin(base, text))
    if text.lower().startswith("file://"):
        text = _plain(unquote(text[len("file://") :].removeprefix("localhost")))
    _refuse_scheme(text)
    path = Path(base).parent / text
    if "%" in text and not path.exists():
        path = Path(base).parent / _plain(unquote(text))
    return _inside(path, href=text, root=root)


def _plain(href: object) -> str:
    if not isinstance(href, str) or not href or len(href) > MAX_HREF:
        raise UnsafeHref(f"expected an href of 1 to {MAX_HREF} characters, got {show(href)}")
    if not href.isprintable() or _BAD.search(href) or href != href.strip():
        raise UnsafeHref(f"expected an href of printable characters without quotes, <, > or \\, got {show(href)}")
    if _VSI.search(unquote(href)):
        raise UnsafeHref(f"expected a path or an http(s) URL, got a GDAL virtual file {show(href)}")
    return href


def _refuse_scheme(text: str) -> None:
    if _SCHEME.match(text):
        raise UnsafeHref(f"expected a path or an http(s) URL, got {show(text)}")


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(_plain(url))
        host, user, _ = parts.hostname, parts.username, parts.port
    except ValueError as err:
        raise UnsafeHref(f"expected a well-formed URL, got {show(url)} ({err})") from err
    if parts.scheme.lower() not in ("http", "https") or not host or user is not None:
        raise UnsafeHref(
            f"expected an http(s) URL with a host and without a password, got {show(parts.hostname or url)}"
        )
    return parts._replace(fragment="").geturl()


def _inside(path: Path, *, href: str, root: Root) -> str:
    try:
        real = path.resolve()
    except (OSError, RuntimeError, ValueError) as err:  # name too long, a circle of symlinks
        raise UnsafeHref(f"expected a path, got {show(href)} ({type(err).__name__})") from err
    if not real.is_relative_to(root.directory):
        raise UnsafeHref(f"expected a file under the catalogue's directory, got {show(href)} which leads outside")
    return str(real)
