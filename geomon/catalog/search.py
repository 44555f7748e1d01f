"""The search: catalogue, area and period in, an `Observation` out.

Puts the walk, the items and the choice of the newest processing together, and counts what was left out and why.
Nothing that was met is dropped in silence: an item is a scene, superseded, refused, or counted as outside.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from geomon.catalog.facts import Ring
from geomon.catalog.fetch import DEFAULT_LIMITS, Limits
from geomon.catalog.hrefs import Root, find_root
from geomon.catalog.items import Candidate, item_collection, item_id, read_candidate, read_header
from geomon.catalog.observation import Counts, Observation, Refusal, Superseded
from geomon.catalog.walk import RawItem, walk
from geomon.errors import ItemRefused
from geomon.grid import area_m2
from geomon.model import Period, Scene

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_LOG = logging.getLogger(__name__)

SAME_PASS = timedelta(minutes=15)
"""Two items of one platform and tile within this time show one pass: a tile takes 20 s, the next orbit comes after
100 min (ESA); catalogues date the same granule by the start of its datatake or by its own middle, minutes apart."""

SAME_GROUND = 0.8
"""A newer item must cover this share of an older one to replace it: the halves of a tile cut by a datastrip's end
stay both."""


@dataclass(frozen=True, slots=True)
class CatalogSource:
    """Which catalogue, and which of its collections (all, if none is named); where two tie, the first named wins."""

    catalog: str
    collections: tuple[str, ...] = ()


@dataclass(slots=True)
class _Tally:
    candidates: list[Candidate] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    days: list[date] = field(default_factory=list)


def search(
    source: CatalogSource, *, area: BaseGeometry, span: Period, as_of: date, limits: Limits = DEFAULT_LIMITS
) -> Observation:
    """Find the scenes that show `area` (lon/lat) in `span`, up to and including `as_of`.

    Raises
    ------
    ConfigError
        The catalogue is not there, or is no static STAC catalogue.
    CatalogUnavailable
        A document could not be had: to go on without it would be to miss scenes.
    DataError
        The catalogue is larger or deeper than `limits`.
    """
    import shapely

    root = find_root(source.catalog)
    shapely.prepare(area)
    tally, met = _Tally(), set[str]()
    for found in walk(root, wanted=source.collections, limits=limits, collections=met):
        if isinstance(found, Refusal):
            tally.counts["seen"] += 1
            tally.refused.append(replace(found, href=root.shorten(found.href)))
            continue
        try:
            _consider(found, tally, source=source, area=area, span=span, as_of=as_of, root=root)
        except ItemRefused as err:
            tally.refused.append(Refusal(item_id(found.document), root.shorten(found.location), str(err)))
    scenes, superseded = choose_newest(tally.candidates, source.collections, root)
    numbers = {"scenes": len(scenes), "refused": len(tally.refused), "superseded": len(superseded)}
    place = root.location.split("?", 1)[0]
    _LOG.info("catalog_searched", extra={"catalog": place, "items_seen": tally.counts["seen"], **numbers})
    return Observation(scenes, tuple(sorted(tally.refused)), superseded, _count(tally, collections=met))


def _consider(
    raw: RawItem, tally: _Tally, *, source: CatalogSource, area: BaseGeometry, span: Period, as_of: date, root: Root
) -> None:
    """Count one item, and keep it if it shows the area in time."""
    tally.counts["seen"] += 1
    if source.collections and item_collection(raw) not in source.collections:
        tally.counts["other"] += 1
        return
    header = read_header(raw)
    outline = _outline_over(header.rings, area)
    if outline is None:
        tally.counts["outside_area"] += 1
        return
    day = header.when.date()
    tally.days.append(day)
    if day > as_of:
        tally.counts["after_as_of"] += 1
    elif day not in span:
        tally.counts["outside_span"] += 1
    else:
        tally.candidates.append(read_candidate(raw, header, outline=outline, root=root))


def _outline_over(rings: tuple[Ring, ...], area: BaseGeometry) -> Ring | None:
    """Return the ring that shares ground with the area; the hull of them where several do, None where none does."""
    import shapely

    parts = [part for part in map(_polygon, rings) if area.intersects(part) and not area.touches(part)]
    if not parts:
        return None
    whole = parts[0] if len(parts) == 1 else shapely.union_all(parts)
    if whole.geom_type != "Polygon":  # several parts, or a mended bow-tie
        whole = whole.convex_hull
    ring = shapely.get_coordinates(shapely.get_exterior_ring(whole))
    return tuple((float(lon), float(lat)) for lon, lat in ring)


def _polygon(ring: Ring) -> BaseGeometry:
    """Make a ring a valid polygon: as it is, mended, or its bounding box where it has no area."""
    import shapely

    polygon = shapely.Polygon(ring)
    if polygon.is_valid:
        return polygon
    mended = shapely.make_valid(polygon)
    if "Polygon" in mended.geom_type:
        return mended
    left, bottom, right, top = polygon.bounds
    if not (left < right and bottom < top):
        raise ItemRefused(
            f"expected an outline with ground inside, got one of {left:g}..{right:g}, {bottom:g}..{top:g}"
        )
    return shapely.box(left, bottom, right, top)


def choose_newest(
    candidates: Iterable[Candidate], preference: tuple[str, ...], root: Root
) -> tuple[tuple[Scene, ...], tuple[Superseded, ...]]:
    """Keep of each acquisition of the same ground the newest processing; say which items it replaces."""
    ranks = {name: -rank for rank, name in enumerate(preference)}
    scenes: list[Scene] = []
    superseded: list[Superseded] = []
    for members in _passes(candidates):
        first = min(member.scene.when for member in members)
        key = f"{members[0].scene.sensor}/{members[0].platform}/{members[0].place}/{first:%Y-%m-%dT%H:%M}"
        kept: list[Candidate] = []
        for member in sorted(
            members, key=lambda m: (m.order, ranks.get(m.collection, 0), m.scene.id, m.location), reverse=True
        ):
            winner = next((other for other in kept if _covers(other.scene, member.scene)), None)
            if winner is None:
                kept.append(member)
                scenes.append(replace(member.scene, acquisition=key))
            else:
                superseded.append(Superseded(member.scene.id, root.shorten(member.location), winner.scene.id))
    return tuple(sorted(scenes, key=lambda s: (s.day, s.id, s.fingerprint))), tuple(sorted(superseded))


def _passes(candidates: Iterable[Candidate]) -> Iterator[list[Candidate]]:
    """Group candidates of one platform over one place within one pass."""
    ordered = sorted(candidates, key=lambda c: (*_shown(c), c.scene.when))
    group: list[Candidate] = []
    for candidate in ordered:
        first = group[0] if group else candidate
        if _shown(first) != _shown(candidate) or candidate.scene.when - first.scene.when > SAME_PASS:
            yield group
            group = []
        group.append(candidate)
    if group:
        yield group


def _shown(candidate: Candidate) -> tuple[str, str, str]:
    return candidate.scene.sensor, candidate.platform, candidate.place


def _covers(newer: Scene, older: Scene) -> bool:
    ground, seen = _polygon(older.outline), _polygon(newer.outline)
    return area_m2(ground.intersection(seen)) >= SAME_GROUND * area_m2(ground)


def _count(tally: _Tally, *, collections: set[str]) -> Counts:
    """Turn the tally into the record's numbers; foreign collection ids are shortened to what can be printed."""
    counts = tally.counts
    return Counts(
        items_seen=counts["seen"] - counts["other"],
        other_collection=counts["other"],
        outside_area=counts["outside_area"],
        outside_span=counts["outside_span"],
        after_as_of=counts["after_as_of"],
        first_day=min(tally.days).isoformat() if tally.days else None,
        last_day=max(tally.days).isoformat() if tally.days else None,
        collections=tuple(sorted(name for name in collections if item_id({"id": name})))[:50],
    )
