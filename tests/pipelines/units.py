"""Units of work for the engine's tests; run as a script, it maps them over local workers and prints what came back."""

import json
import os
import signal
import sys
import time

from geomon.config import Engine
from pipelines.engine import map_units
from pipelines.job import Attempt, Failure


def work(unit: int) -> int:
    """Square a number; 3 kills its worker, 4 is a bug."""
    if unit == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if unit == 4:
        raise ZeroDivisionError("a bug")
    time.sleep(0.05)
    return unit * unit


def main() -> None:
    """Print unit -> result, errors by their names."""
    engine = Engine(workers=int(sys.argv[1]))
    found = {}
    for unit, result in map_units(Attempt(work), range(10), engine):
        name = result.error if isinstance(result, Failure) else type(result).__name__
        found[unit] = result if isinstance(result, int) else name
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
