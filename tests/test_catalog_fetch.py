import errno
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from geomon.catalog import Limits
from geomon.errors import CatalogUnavailable
from tests._stac import (
    altered,
    find,
    make_item,
    write_catalog,
    write_json,
)


class Server:
    """A directory served on loopback, with faults by path: a list of answers to give before the file itself."""

    def __init__(self, root: Path) -> None:
        self.faults: dict[str, list[int | bytes | float]] = {}
        self.asked: list[str] = []
        self.released = threading.Event()
        outer = self

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args, directory=str(root))

            def log_message(self, *args: object) -> None:
                """Stay silent."""

            def do_GET(self) -> None:
                outer.asked.append(self.path)
                faults = outer.faults.get(self.path, [])
                fault = faults.pop(0) if faults else None
                if isinstance(fault, float):
                    outer.released.wait(fault)
                    self.close_connection = True
                elif isinstance(fault, bytes):
                    self.wfile.write(fault)
                    self.close_connection = True
                elif fault is not None:
                    self.send_error(fault)
                else:
                    super().do_GET()

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.released.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Server]]:
    servers: list[Server] = []

    def start(root: Path) -> Server:
        servers.append(Server(root))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def test_http_gives_what_the_path_gives(tmp_path: Path, serve: Callable[[Path], Server]) -> None:
    """The same catalogue by address and by path: the same scenes, refusals and counts."""
    items = [make_item(f"i{n:02d}", day=f"2020-01-{n + 1:02d}") for n in range(20)]
    items += [make_item("no-time", datetime=None), altered(make_item("far"), "geometry/coordinates/0/0", [16.0, 4.001])]
    catalog = write_catalog(tmp_path, *items)
    server = serve(tmp_path)
    local, remote = find(catalog), find(f"{server.url}/catalog.json")
    assert [s.fingerprint for s in remote.scenes] == [s.fingerprint for s in local.scenes]
    assert (remote.refused, remote.superseded, remote.searched) == (local.refused, local.superseded, local.searched)
    assert remote.scenes[0].assets["red"].href == f"{server.url}/items/0/red.tif"


@pytest.mark.parametrize("path", ["/catalog.json", "/collection.json", "/items/0/item.json"])
@pytest.mark.parametrize(
    "fault",
    [
        503,
        429,
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
        b"rubbish\r\n",
    ],
    ids=["503", "429", "reset", "truncated", "html", "rubbish"],
)
def test_passing_faults_are_retried(
    tmp_path: Path, serve: Callable[[Path], Server], path: str, fault: int | bytes
) -> None:
    """Two bad answers and a good one are a good one."""
    write_catalog(tmp_path, make_item())
    server = serve(tmp_path)
    server.faults[path] = [fault, fault]
    assert len(find(f"{server.url}/catalog.json").scenes) == 1
    assert server.asked.count(path) == 3


@pytest.mark.parametrize(
    ("path", "fault", "asked"),
    [
        (path, fault, asked)
        for path in ("/catalog.json", "/collection.json", "/items/1/item.json")
        for fault, asked in ((503, 3), (404, 1), (410, 1), (403, 1))
        if not ("item" in path and fault in (404, 410))
    ],
)
def test_what_stays_away_is_try_later_never_a_missing_scene(
    tmp_path: Path, serve: Callable[[Path], Server], path: str, fault: int, asked: int
) -> None:
    """A document that cannot be had stops the search with code 75, and names it without its query."""
    write_catalog(tmp_path, make_item(), make_item("b", day="2020-02-01"))
    server = serve(tmp_path)
    server.faults[path] = [fault] * 9
    with pytest.raises(CatalogUnavailable, match=f"HTTP {fault}") as caught:
        find(f"{server.url}/catalog.json")
    assert caught.value.exit_code == 75
    assert path in str(caught.value)
    assert server.asked.count(path) == asked


@pytest.mark.parametrize("fault", [404, 410])
def test_a_remote_item_that_is_gone_is_refused(tmp_path: Path, serve: Callable[[Path], Server], fault: int) -> None:
    """An item that the server says is gone is recorded and the rest goes on; its key is not written down."""
    catalog = write_catalog(tmp_path, make_item(), make_item("b", day="2020-02-01"))
    collection = json.loads((tmp_path / "collection.json").read_text(encoding="utf-8"))
    collection["links"][-1]["href"] += "?token=secret"
    write_json(tmp_path / "collection.json", collection)
    server = serve(tmp_path)
    server.faults["/items/1/item.json?token=secret"] = [fault] * 9
    observation = find(f"{server.url}/{catalog.name}")
    assert len(observation.scenes) == 1
    (refusal,) = observation.refused
    assert f"HTTP {fault}" in refusal.reason
    assert "/items/1/item.json" in refusal.reason
    assert "secret" not in refusal.reason
    assert server.asked.count("/items/1/item.json?token=secret") == 1


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ENOENT, errno.EACCES])
def test_a_local_item_on_a_failing_disk_is_try_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """A disk that fails stops the search with code 75; a file that is gone or withheld is refused."""
    catalog = write_catalog(tmp_path, make_item(), make_item("b", day="2020-02-01"))
    plain = Path.open

    def fail(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self.match("items/1/item.json"):
            raise OSError(code, os.strerror(code), str(self))
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", fail)
    if code in (errno.EIO, errno.ESTALE):
        with pytest.raises(CatalogUnavailable, match="items/1") as caught:
            find(catalog)
        assert caught.value.exit_code == 75
    else:
        observation = find(catalog)
        assert (len(observation.scenes), len(observation.refused)) == (1, 1)


def test_a_silent_server_is_given_up(tmp_path: Path, serve: Callable[[Path], Server]) -> None:
    """Every try ends with the time-out."""
    write_catalog(tmp_path, make_item())
    server = serve(tmp_path)
    server.faults["/items/0/item.json"] = [20.0] * 9
    start = time.monotonic()
    with pytest.raises(CatalogUnavailable, match="3 tries"):
        find(f"{server.url}/catalog.json", limits=Limits(timeout_s=0.2, total_s=3, tries=3, wait_s=0.01))
    assert time.monotonic() - start < 5


def test_a_closed_port_is_try_later(tmp_path: Path, serve: Callable[[Path], Server]) -> None:
    """Nobody there: run again."""
    server = serve(tmp_path)
    url = server.url
    server.close()
    with pytest.raises(CatalogUnavailable, match="run the job again"):
        find(f"{url}/catalog.json?token=secret")


def test_a_document_without_end_is_given_up(tmp_path: Path, serve: Callable[[Path], Server]) -> None:
    """The bound on bytes holds for the network too."""
    write_catalog(tmp_path, make_item())
    with pytest.raises(CatalogUnavailable, match="at most 500 bytes"):
        find(f"{serve(tmp_path).url}/collection.json", limits=Limits(max_bytes=500, wait_s=0.01))


def test_a_remote_catalogue_reaches_no_local_file(tmp_path: Path, serve: Callable[[Path], Server]) -> None:
    """From the network only http(s) is followed, by links, hrefs and redirects alike."""
    catalog = write_catalog(tmp_path, altered(make_item(), "assets/red/href", "file:///etc/passwd.tif"))
    document = json.loads(catalog.read_text(encoding="utf-8"))
    document["links"] += [{"rel": "item", "href": "file:///etc/passwd"}, {"rel": "item", "href": "/moved.json"}]
    write_json(catalog, document)
    server = serve(tmp_path)
    server.faults["/moved.json"] = [
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"
    ] * 9
    with pytest.raises(CatalogUnavailable, match="HTTP 302"):
        find(f"{server.url}/catalog.json")
    document["links"].pop()
    write_json(catalog, document)
    observation = find(f"{server.url}/catalog.json")
    assert observation.scenes == ()
    assert len(observation.refused) == 2
