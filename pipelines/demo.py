"""The demo's input: a simulated landscape of a given size and seed in a directory, made once.

A directory and two numbers come in, the path of the job's config goes out. What is simulated is `geomon.simulate`'s
business, the run that follows is a run like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from geomon import __version__
from geomon.errors import ConfigError
from geomon.store import atomic

_MARK = "simulated.json"


def prepare(out: Path, *, size_px: int, seed: int, progress: Callable[[int, int], None]) -> Path:
    """Simulate the demo's landscape into `out`, if it is not there; the path of its config."""
    mark = {"size_px": size_px, "seed": seed, "geomon": __version__, "note": "SIMULATED: no satellite saw this"}
    found, config = atomic.read_json(out / _MARK), out / "config.yaml"
    if found is not None and found != mark:
        raise ConfigError(
            f"{out} must be empty or hold this demo, but holds another one (size, seed or version differ). "
            "Give another --out, or remove it."
        )
    if found is None or not config.is_file():
        from geomon.simulate import DEMO, simulate  # late: a demo that is there does not need it

        atomic.write_json(out / _MARK, mark)
        simulate(replace(DEMO, size_px=size_px, seed=seed), out, progress=progress)
    return config
