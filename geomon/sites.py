"""The site register: which object of this run is which site of the runs before.

In: the register as published before (or none) and every confirmed object of this run under its own id. Out: the new
register and, for each object, the id under which it stands there. Pure: the same two tables give the same answer,
whatever their row order, and registering a run again changes nothing. Areas, dates of footprints and activity come
from the objects alone; the register adds identity, lineage and events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

from geomon.errors import RegisterConflict
from geomon.grid import areas_m2
from geomon.model import DIGGING, Activity, AlertStatus, Event
from geomon.tables import check_table, make

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]

GREW: Final = 0.10
"""A site that is this share larger than in the run before grew (as `expanding`, so the two words agree)."""

_RESTING: Final = frozenset({Activity.PREVIOUSLY_ACTIVE, Activity.REVEGETATING})


@dataclass(frozen=True, slots=True)
class _Match:
    """What became of the sites before: the object each goes on in, and the id each object carries."""

    heir: Mapping[str, int]
    ids: tuple[str, ...]
    parents: tuple[frozenset[str], ...]


def update(
    previous: pd.DataFrame | None, objects: pd.DataFrame, *, as_of: date, run_id: str
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Register the objects of a run.

    Parameters
    ----------
    previous : GeoDataFrame of table `sites`, or None
        The register of the last published run.
    objects : GeoDataFrame of table `sites`
        Every confirmed object, rejected ones included, each under the id of its founding pixel.
    as_of : date
        What this run may know; a register that was confirmed later than this is refused.
    run_id : str
        Goes on every row.

    Returns
    -------
    GeoDataFrame of table `sites`
        Sorted by id. Sites without an object are kept, status dropped.
    dict
        Object id to site id.

    Raises
    ------
    RegisterConflict
        If an id stands twice in one table, or the register knows more than `as_of` allows.

    Notes ----- An object whose own id is registered keeps it, so ids follow from the data and not from the runs.
    Otherwise each site goes on in the object that covers most of it, and an object in which several go on takes the
    one seen first; the others become its lineage. Objects that cover part of a site which goes on elsewhere are its
    children: a new id, the parent in the lineage.
    """
    before = _rows(previous, what="the register")
    after = _rows(objects, what="the objects")
    _refuse_future(before, as_of)
    match = _match(before, after)
    known = {row["site_id"]: row for row in before}
    rows = [
        _carried(row, known, site_id=i, parents=p, run_id=run_id)
        for row, i, p in zip(after, match.ids, match.parents, strict=True)
    ]
    rows += [_withdrawn(row, run_id) for row in before if row["site_id"] not in match.heir]
    rows.sort(key=lambda row: str(row["site_id"]))
    register = make("sites", rows, [row["geometry"] for row in rows])
    return register, {row["site_id"]: site_id for row, site_id in zip(after, match.ids, strict=True)}


def _rows(table: pd.DataFrame | None, *, what: str) -> list[Row]:
    """Rows by ascending id, so that the order of the file means nothing."""
    if table is None:
        return []
    check_table(table, "sites")
    rows: list[Row] = sorted(_records(table), key=lambda row: str(row["site_id"]))
    twice = sorted({a["site_id"] for a, b in pairwise(rows) if a["site_id"] == b["site_id"]})
    if twice:
        raise RegisterConflict(
            f"{what}: expected each site id once, got {twice[:3]} more than once; restore the published file", ids=twice
        )
    return rows


def _records(table: pd.DataFrame) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _refuse_future(before: Sequence[Row], as_of: date) -> None:
    late = [row["site_id"] for row in before if row["confirmed_on"] is not None and row["confirmed_on"] > as_of]
    if late:
        raise RegisterConflict(
            f"the register: expected sites confirmed up to {as_of}, got {late[:3]} confirmed later; "
            "pass the register of an earlier run, or none",
            ids=late,
        )


def _match(before: Sequence[Row], after: Sequence[Row]) -> _Match:
    own = {row["site_id"]: k for k, row in enumerate(after)}
    covering: dict[str, list[tuple[float, int]]] = defaultdict(list)
    touched: dict[int, set[str]] = defaultdict(set)
    for i, k, shared in _overlaps(before, after):
        covering[before[i]["site_id"]].append((-shared, k))
        touched[k].add(before[i]["site_id"])
    heir = {site_id: min(found)[1] for site_id, found in covering.items()}
    heir |= {row["site_id"]: own[row["site_id"]] for row in before if row["site_id"] in own}
    going_on: dict[int, list[Row]] = defaultdict(list)
    for row in before:
        if row["site_id"] in heir:
            going_on[heir[row["site_id"]]].append(row)
    ids, parents = [], []
    for k, row in enumerate(after):
        ranked = sorted(_seniority(site, row["site_id"]) for site in going_on[k])
        chosen = ranked[0][-1] if ranked else str(row["site_id"])
        ids.append(chosen)
        parents.append(frozenset({rank[-1] for rank in ranked} if ranked else touched[k]) - {chosen})
    return _Match(heir, tuple(ids), tuple(parents))


def _seniority(site: Row, own: str) -> tuple[bool, bool, date, str]:
    """The object's own id first, then living sites, then the one seen first."""
    return (
        site["site_id"] != own,
        site["status"] == AlertStatus.DROPPED.label,
        site["first_seen"] or date.max,
        site["site_id"],
    )


def _overlaps(before: Sequence[Row], after: Sequence[Row]) -> list[tuple[int, int, float]]:
    """Shared ground [m2] of (site before, object)."""
    if not before or not after:
        return []
    old = np.array([row["geometry"] for row in before], dtype=object)
    new = np.array([row["geometry"] for row in after], dtype=object)
    pairs = shapely.STRtree(new).query(old, predicate="intersects")
    shared = areas_m2(shapely.intersection(old[pairs[0]], new[pairs[1]]))
    return [(int(i), int(k), float(area)) for i, k, area in zip(*pairs, shared, strict=True) if area > 0.0]


def _carried(row: Row, known: Mapping[str, Row], *, site_id: str, parents: frozenset[str], run_id: str) -> Row:
    """A site's row: this run's numbers, the first dates and the lineage that were recorded before."""
    old = known.get(site_id)
    inherited = {ancestor for site in ({site_id} & known.keys()) | parents for ancestor in known[site]["lineage"]}
    carried = row | {"site_id": site_id, "run_id": run_id, "lineage": sorted((inherited | parents) - {site_id})}
    if old is None:
        return carried | {"event": Event.NEW.value}
    dates = {name: old[name] if old[name] is not None else row[name] for name in ("first_seen", "confirmed_on")}
    return carried | dates | {"event": _event(old, row, run_id)}


def _event(old: Row, row: Row, run_id: str) -> str | None:
    """What happened since the run before; a run that is registered again says what it said."""
    if old["run_id"] == run_id:
        return old["event"] if isinstance(old["event"], str) else None
    if old["status"] == AlertStatus.DROPPED.label:
        return Event.NEW.value
    if row["activity"] in _RESTING and old["activity"] in DIGGING:
        return Event.WENT_QUIET.value
    return Event.GREW.value if row["area_ha"] > (1.0 + GREW) * old["area_ha"] else None


def _withdrawn(row: Row, run_id: str) -> Row:
    """A site that the data no longer bear out (a late or reprocessed scene): kept, so its id is never given away."""
    if row["run_id"] == run_id:
        return dict(row)
    event = None if row["status"] == AlertStatus.DROPPED.label else Event.WITHDRAWN.value
    gone = {"status": AlertStatus.DROPPED.label, "activity": Activity.REJECTED.value, "event": event}
    return row | gone | {"run_id": run_id}
