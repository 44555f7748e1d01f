"""A catalogue's documents in, its items out, as they stand.

Breadth first from the root through `child` links to `item` links, each document once, bounded in depth and number.
Links that may not be followed and items that cannot be read come out as refusals; nothing is dropped in silence.
Items are not judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from geomon.catalog.fetch import Limits, read_documents
from geomon.catalog.hrefs import Root, UnsafeHref, is_remote, resolve, show
from geomon.catalog.observation import Refusal
from geomon.errors import CatalogUnavailable, ConfigError, DataError, GeomonError

Document = dict[str, object]

_BATCH = 256


@dataclass(frozen=True, slots=True)
class RawItem:
    """One item as it stands in its document; `collection` is that of the document that linked it."""

    location: str
    collection: str | None
    document: object


@dataclass(slots=True)
class _Ledger:
    """What was met on the walk; each place is entered once, which ends loops."""

    root: Root
    limits: Limits
    collections: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def enter(self, location: str) -> bool:
        if location in self.seen:
            return False
        self.seen.add(location)
        if len(self.seen) > self.limits.max_items:
            raise DataError(
                f"expected a catalogue of at most {self.limits.max_items} documents, got more from "
                f"{show(self.root.location)}; point source.catalog at the part that covers the area",
            )
        return True


def walk(root: Root, *, wanted: Sequence[str], limits: Limits, collections: set[str]) -> Iterator[RawItem | Refusal]:
    """Yield every item of the wanted collections (all, if none is named) that the catalogue links.

    `collections` is filled with the ids of the collections met, for messages.

    Raises
    ------
    ConfigError
        The root is no static catalogue.
    CatalogUnavailable
        A catalogue or collection document could not be had, or an item that is not simply gone.
    DataError
        The catalogue is deeper or larger than `limits`.
    """
    ledger = _Ledger(root, limits, collections)
    ledger.enter(root.location)
    level = [root.location]
    for _ in range(limits.max_depth + 1):
        following: list[str] = []
        for location, document in read_documents(level, limits):
            node = _check_node(location, document, root=root)
            if node.get("type") in ("FeatureCollection", "Feature"):
                yield from _features(location, node, ledger)
                continue
            collection = _collection_id(node)
            unwanted = collection is not None and wanted and collection not in wanted
            places, refused = _follow(location, node, ledger, rels=("child",) if unwanted else ("child", "item"))
            yield from refused
            following += places["child"]
            yield from _items(places.get("item", ()), collection, limits)
        if not following:
            return
        level = following
    raise DataError(
        f"expected a catalogue at most {limits.max_depth} levels deep, {show(root.location)} goes on at "
        f"{show(level[0])}; point source.catalog at the part that covers the area",
    )


def _items(locations: Sequence[str], collection: str | None, limits: Limits) -> Iterator[RawItem | Refusal]:
    for start in range(0, len(locations), _BATCH):
        for location, document in read_documents(locations[start : start + _BATCH], limits):
            if isinstance(document, GeomonError):
                yield Refusal(id="", href=location, reason=str(document))
            else:
                yield RawItem(location, collection, document)


def _features(location: str, node: Document, ledger: _Ledger) -> Iterator[RawItem]:
    """Yield the items of an ItemCollection, or the one item that a child link named."""
    features = node.get("features", []) if node["type"] == "FeatureCollection" else [node]
    if not isinstance(features, list) or len(features) > ledger.limits.max_items:
        raise DataError(
            f"expected a list of at most {ledger.limits.max_items} features in {show(location)}, got {show(features)}; "
            "split the item collection",
        )
    if any(link.get("rel") == "next" for link in _links(node, location)):
        raise _dynamic(location)
    yield from (RawItem(location, None, feature) for feature in features)


def _check_node(location: str, document: object, *, root: Root) -> Document:
    """See that a document is a catalogue, collection or item collection."""
    if isinstance(document, dict) and _is_node(document):
        conforms = document.get("conformsTo")
        searches = any(link.get("rel") == "search" for link in _links(document, location))
        if searches or (isinstance(conforms, list) and any("item-search" in str(entry) for entry in conforms)):
            raise _dynamic(location)
        return document
    got = (
        str(document) if isinstance(document, GeomonError) else f"{show(location)} holds {show(document)} that is none"
    )
    message = f"expected a STAC Catalog, Collection or ItemCollection: {got}"
    if location == root.location and not is_remote(location):
        raise ConfigError(f"{message}; correct source.catalog in the config", href=location)
    raise CatalogUnavailable(f"{message}; restore the document and run the job again", href=location)


def _is_node(document: Document) -> bool:
    kind = document.get("type")
    if kind in ("FeatureCollection", "Feature"):
        return True
    return (kind in ("Catalog", "Collection") or "stac_version" in document) and isinstance(document.get("id"), str)


def _dynamic(location: str) -> ConfigError:
    return ConfigError(
        f"source.catalog: expected a static STAC catalogue, {show(location)} is an API or one page of its answer; "
        "this version reads static catalogues: save the items as one, and give its catalog.json",
        href=show(location),
    )


def _collection_id(node: Document) -> str | None:
    is_collection = node.get("type") == "Collection" or "extent" in node
    return str(node["id"]) if is_collection else None


def _links(node: Document, location: str) -> list[Document]:
    links = node.get("links", [])
    if not isinstance(links, list):
        raise CatalogUnavailable(
            f"expected a list of links in {show(location)}, got {show(links)}; mend the document and run the job again",
        )
    return [link for link in links if isinstance(link, dict)]


def _follow(
    location: str, node: Document, ledger: _Ledger, *, rels: tuple[str, ...]
) -> tuple[dict[str, list[str]], list[Refusal]]:
    """Places that a node's links lead to by relation, and the links that are refused."""
    places: dict[str, list[str]] = {rel: [] for rel in rels}
    refused: list[Refusal] = []
    links = _links(node, location)
    for link in links:
        rel = link.get("rel")
        if not isinstance(rel, str) or rel not in places:
            continue
        try:
            place = resolve(link.get("href"), base=location, root=ledger.root)
        except UnsafeHref as err:
            refused.append(Refusal(id="", href=show(link.get("href")), reason=f"{rel} link: {err}"))
            continue
        if ledger.enter(place):
            places[rel].append(place)
    if not any(places.values()) and any(link.get("rel") == "items" for link in links):
        raise _dynamic(location)
    collection = _collection_id(node)
    if collection is not None:
        ledger.collections.add(collection)
    return places, refused
