"""What a search saw: the usable scenes, what was refused or superseded and why, and how much was looked at.

Frozen values that go into the run record, the check that a run could see anything, and the grouping into looks. No I/O.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import groupby

from geomon.errors import ConfigError, DataError
from geomon.model import Look, Period, Scene

SIMULATED = "; simulated"
"""How `Scene.processing` ends where the item has `geomon:simulated: true`."""


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """An item (or a link) that cannot be used. `id` is empty where none could be read; all texts are safe to print."""

    id: str
    href: str
    reason: str


@dataclass(frozen=True, slots=True, order=True)
class Superseded:
    """An item that shows what a newer processing (`by`) shows."""

    id: str
    href: str
    by: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a search looked at.

    `items_seen` counts every item of the wanted collections, refused ones too; `first_day` and `last_day` (ISO) span
    those that show the area, in the period or not.
    """

    items_seen: int = 0
    other_collection: int = 0
    outside_area: int = 0
    outside_span: int = 0
    after_as_of: int = 0
    first_day: str | None = None
    last_day: str | None = None
    collections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """The answer of a search; every part in a fixed order."""

    scenes: tuple[Scene, ...]
    refused: tuple[Refusal, ...]
    superseded: tuple[Superseded, ...]
    searched: Counts

    @property
    def simulated(self) -> bool:
        """Whether any scene says that it is simulated: every product made of it must say so too."""
        return any(scene.processing.endswith(SIMULATED) for scene in self.scenes)

    def as_record(self) -> dict[str, object]:
        """Plain values for the run record: what identifies each scene, and everything else."""
        return {
            "scenes": [
                {"id": s.id, "sensor": s.sensor, "when": s.when.isoformat(), "processing": s.processing,
                 "fingerprint": s.fingerprint, "bands": sorted(s.assets)}
                for s in self.scenes
            ],
            "refused": [asdict(refusal) for refusal in self.refused],
            "superseded": [asdict(loser) for loser in self.superseded],
            "searched": asdict(self.searched),
        }  # fmt: skip


def group_looks(scenes: tuple[Scene, ...]) -> tuple[Look, ...]:
    """Gather what one sensor saw on one day (UTC), sorted by day and sensor; scenes inside by id."""
    ordered = sorted(scenes, key=lambda s: (s.day, s.sensor, s.id, s.fingerprint))
    grouped = groupby(ordered, key=lambda s: (s.day, s.sensor))
    return tuple(Look(day, sensor, tuple(members)) for (day, sensor), members in grouped)


def check_coverage(observation: Observation, *, baseline: Period, catalog: str) -> None:
    """Stop a run that could see nothing.

    Raises
    ------
    ConfigError
        The catalogue has no item of the wanted collections, or none of them shows the area.
    DataError
        Items show the area, but all were refused, or none was acquired in the period or in its baseline.
    """
    searched = observation.searched
    if searched.items_seen == 0 and not observation.refused:
        known = ", ".join(searched.collections) or "none"
        raise ConfigError(
            f"expected items of the configured collections in {catalog}, got none at all ("
            f"{searched.other_collection} items of others; collections met: {known}); "
            "correct source.catalog or source.collections",
            catalog=catalog,
        )
    if searched.first_day is None:
        _raise_unseen(observation, catalog)
    seen = f"{searched.first_day}..{searched.last_day}"
    if not observation.scenes:
        raise DataError(
            f"expected scenes of the area in the configured period, got none: usable items that show it are of {seen}, "
            f"{searched.outside_span} outside the period, {searched.after_as_of} after the as-of date"
            f"{_first_refusal(observation)}; correct period or --as-of, or extend the catalogue",
            catalog=catalog,
        )
    if not any(scene.when.date() in baseline for scene in observation.scenes):
        raise DataError(
            f"expected scenes in the baseline {baseline.start}..{baseline.end}, got none: items that show the area "
            f"are of {seen}{_first_refusal(observation)}; correct period.baseline or extend the catalogue",
            catalog=catalog,
        )


def _raise_unseen(observation: Observation, catalog: str) -> None:
    searched = observation.searched
    if searched.outside_area == 0:
        raise DataError(
            f"expected usable items in {catalog}, got {searched.items_seen} and refused them all"
            f"{_first_refusal(observation)}; mend the items",
            catalog=catalog,
        )
    raise ConfigError(
        f"expected an AOI inside the catalogue, but {searched.outside_area} of {searched.items_seen} items of "
        f"{catalog} lie outside it and none shows it{_first_refusal(observation)}; correct aoi or source in the config",
        catalog=catalog,
    )


def _first_refusal(observation: Observation) -> str:
    if not observation.refused:
        return ""
    first = observation.refused[0]
    return f" ({len(observation.refused)} refused, first {first.id or first.href}: {first.reason})"
