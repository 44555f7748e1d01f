"""What every test may ask for: a fixed generator, the shared real data, the command, and no way to the network."""

import ipaddress
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"

# Cores are shared and noisy: a slow example is no fault, a failing one prints how to make it again.
# the same examples on every run: what lands was seen to pass; `--hypothesis-profile=explore` looks further
hypothesis.settings.register_profile("house", deadline=None, max_examples=50, print_blob=True, derandomize=True)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=200, print_blob=True)
hypothesis.settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take --network, the one way to run tests that need the internet."""
    parser.addoption("--network", action="store_true", help="run the tests marked network")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the tests marked network unless --network was given."""
    if config.getoption("--network"):
        return
    skip = pytest.mark.skip(reason="needs the internet; run with --network")
    for item in items:
        if item.get_closest_marker("network"):
            item.add_marker(skip)


class NetworkBlockedError(BaseException):
    """A test tried to leave the machine. Not an OSError nor an Exception: no retry or handler may swallow it."""


def refuse_remote(address: object) -> None:
    """Raise NetworkBlockedError unless `address` is of this machine."""
    if not isinstance(address, tuple):
        return  # a Unix socket's path
    host = str(address[0])
    if host in ("", "localhost"):
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        message = f"expected a loopback address, a test connects to {host}; serve it on 127.0.0.1 or mark it network"
        raise NetworkBlockedError(message)


@pytest.fixture(scope="session", autouse=True)
def no_proxied_network(pytestconfig: pytest.Config) -> Iterator[None]:
    """GDAL's curl and child processes do not ask Python: send them to a proxy that refuses, but for loopback."""
    if pytestconfig.getoption("--network"):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            patch.setenv(name, "http://127.0.0.1:9")
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "127.0.0.1,localhost,::1")
        yield


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets of this process connect to this machine only."""
    if request.node.get_closest_marker("network"):
        return
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded(original: Callable[..., object]) -> Callable[..., object]:
        def checked(self: socket.socket, address: object) -> object:
            if self.type != socket.SOCK_DGRAM:  # connecting a datagram socket sends nothing; dask finds its own IP so
                refuse_remote(address)
            return original(self, address)

        return checked

    monkeypatch.setattr(socket.socket, "connect", guarded(connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(connect_ex))


@pytest.fixture
def rng() -> np.random.Generator:
    """Give a generator that is the same in every run and every order."""
    return np.random.default_rng(20180101)


@pytest.fixture
def shared_data() -> Path:
    """Give the folder of real data beside the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real data at ../shared/data, and {SHARED_DATA} is not there")
    return SHARED_DATA


@pytest.fixture
def geomon(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Give the command: ``geomon("run", "car.yaml")`` runs it in `tmp_path` and never raises for its exit code."""

    def run(*args: str | Path, timeout_s: float = 120, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pipelines", *map(str, args)]
        environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)} | env
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    return run
