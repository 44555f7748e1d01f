"""Styles inside the GeoPackage: one QML per layer, in the `layer_styles` table that QGIS reads when it opens a layer.

In: the path of a GeoPackage and the names of its spatial layers. Out: the same file with a default style for each: a
colour per alert status or activity, labels in English. It draws nothing itself and other programs may ignore it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as Xml

from geomon.model import Activity, AlertStatus

_ACTIVITY: Final = {
    Activity.NEW: "#d7191c",
    Activity.EXPANDING: "#e8590c",
    Activity.ACTIVE: "#f59f00",
    Activity.PERSISTENT: "#a61e4d",
    Activity.PREVIOUSLY_ACTIVE: "#7b6f5c",
    Activity.REVEGETATING: "#4c9a2a",
    Activity.NOT_OBSERVED: "#adb5bd",
    Activity.REJECTED: "#74a9cf",
}
_STATUS: Final = {
    AlertStatus.CONFIRMED: "#d7191c",
    AlertStatus.PROVISIONAL: "#f59f00",
    AlertStatus.CANDIDATE: "#ffe066",
    AlertStatus.UNRESOLVED: "#adb5bd",
    AlertStatus.DROPPED: "#74a9cf",
}

_BY_ACTIVITY: Final = ("mining_footprints", "sites")

_TABLE: Final = """CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256),
    f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,
    description TEXT, owner TEXT(30), ui TEXT(30), update_time DATETIME)"""
_STYLE: Final = "INSERT INTO layer_styles VALUES (NULL, '', '', ?, 'geom', ?, ?, '', 1, ?, '', NULL, ?)"
_CONTENTS: Final = (
    "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change) "
    "VALUES ('layer_styles', 'attributes', 'layer_styles', 'QGIS styles', ?)"
)


def embed_styles(path: Path, layers: Sequence[str], *, stamp: str) -> None:
    """Add the `layer_styles` table with a default style for each layer.

    Parameters
    ----------
    stamp : str
        ISO time that stands where a clock's would, so that the bytes follow from the tables.
    """
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(_TABLE)
        for layer in layers:
            file.execute(_STYLE, (layer, layer, qml(layer), f"geomon: {layer}", stamp))
        file.execute(_CONTENTS, (stamp,))


def qml(layer: str) -> str:
    """Style of a layer: categorised by activity or alert status, filled for polygons, dots for points."""
    by_activity = layer in _BY_ACTIVITY
    colours: Mapping[str, str] = (
        {a.value: c for a, c in _ACTIVITY.items()} if by_activity else {s.label: c for s, c in _STATUS.items()}
    )
    root = Xml.Element("qgis", {"version": "3.22", "styleCategories": "Symbology"})
    attribute = "activity" if by_activity else "status"
    renderer = Xml.SubElement(
        root, "renderer-v2", {"type": "categorizedSymbol", "attr": attribute, "symbollevels": "0", "enableorderby": "0"}
    )
    categories, symbols = Xml.SubElement(renderer, "categories"), Xml.SubElement(renderer, "symbols")
    for number, (value, colour) in enumerate(colours.items()):
        entry = {"value": value, "label": value.replace("_", " "), "symbol": str(number), "render": "true"}
        Xml.SubElement(categories, "category", entry)
        _symbol(symbols, name=str(number), colour=colour, point=layer == "sub_mmu")
    Xml.indent(root)
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + Xml.tostring(root, encoding="unicode") + "\n"
    )


def _symbol(symbols: Xml.Element, *, name: str, colour: str, point: bool) -> None:
    symbol = Xml.SubElement(
        symbols, "symbol", {"name": name, "type": "marker" if point else "fill", "alpha": "1", "clip_to_extent": "1"}
    )
    kind = "SimpleMarker" if point else "SimpleFill"
    layer = Xml.SubElement(symbol, "layer", {"class": kind, "enabled": "1", "locked": "0", "pass": "0"})
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    line = f"{red // 2},{green // 2},{blue // 2},255"
    props = {
        "color": f"{red},{green},{blue},150",
        "outline_color": line,
        "outline_width": "0.3",
        "outline_style": "solid",
    }
    props |= {"name": "circle", "size": "1.6"} if point else {"style": "solid"}
    for key, value in props.items():
        Xml.SubElement(layer, "prop", {"k": key, "v": value})
    options = Xml.SubElement(layer, "Option", {"type": "Map"})
    for key, value in props.items():
        Xml.SubElement(options, "Option", {"name": key, "type": "QString", "value": value})
