"""Every raster layer and every table column: name, type, nodata, unit and meaning, in English and French.

Writers, validators, the README check and the labels of the reports all read these two tables; no other module spells a
layer's dtype or a column's type. Arrays inside a process follow `LAYERS` too, so what is written is what was computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

ColumnType = Literal["text", "int", "float", "bool", "date", "list"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One raster layer of a tile. `count` bands share dtype and meaning."""

    name: str
    dtype: str
    nodata: float | None
    unit: str
    en: str
    fr: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a product table. `list` columns hold short texts; dates are ISO 8601 days."""

    name: str
    type: ColumnType
    unit: str
    en: str
    fr: str
    nullable: bool = False


LAYERS: tuple[Layer, ...] = (
    Layer("score", "float32", float("nan"), "sigma", "accumulated evidence of change", "indice cumulé de changement"),
    Layer("alert", "uint8", 0, "AlertStatus", "alert status", "statut d'alerte"),
    Layer("first_seen", "uint16", 0, "days since 1970-01-01", "where the run of evidence began", "début des indices"),
    Layer("confirmed_on", "uint16", 0, "days since 1970-01-01", "look that confirmed it", "image de confirmation"),
    Layer("last_seen", "uint16", 0, "days since 1970-01-01", "last look with evidence", "dernier indice"),
    Layer("gone_on", "uint16", 0, "days since 1970-01-01", "later clear looks undid it", "changement effacé"),
    Layer("last_clear", "uint16", 0, "days since 1970-01-01", "last clear look", "dernière image claire"),
    Layer("n_clear", "uint16", None, "looks", "clear looks since the monitor start", "images claires depuis le début du suivi"),
    Layer("n_clear_baseline", "uint16", None, "looks", "clear looks in the baseline", "images claires de la référence"),
    Layer("n_hits", "uint16", None, "looks", "looks with evidence since first seen", "images avec indice"),
    Layer("n_after", "uint16", None, "looks", "clear looks since first seen", "images claires depuis le premier indice"),
    Layer("bare", "uint8", 255, "percent", "bare ground after the change", "part de sol nu après changement"),
    Layer("water", "uint8", 255, "percent", "turbid or standing water after the change", "part d'eau après changement"),
    Layer("turbid", "uint8", 255, "percent", "turbid water after the change", "part d'eau turbide après changement"),
    Layer("proof", "uint16", 0, "days since 1970-01-01", "the three confirming looks", "les trois images de confirmation", 3),
    Layer("seen_months", "uint8", None, "bits", "bit i = month i of the monitor seen clear", "mois vus clairs"),
)
"""`seen_months` has one band per eight months of the monitor period, so its `count` is set by the run."""

_RUN: tuple[Column, ...] = (
    Column("release", "text", "", "who may see this row", "diffusion autorisée"),
    Column("run_id", "text", "", "first 12 hex digits of the run key", "identifiant du calcul"),
)

_LIFE: tuple[Column, ...] = (
    Column("first_seen", "date", "", "where its run of evidence began", "premier indice", nullable=True),
    Column("confirmed_on", "date", "", "look that brought it to the minimum mapping unit", "confirmé le", nullable=True),
    Column("last_seen", "date", "", "last look with evidence", "dernier indice", nullable=True),
)

_AREA: tuple[Column, ...] = (
    Column("area_ha", "float", "ha", "geodesic area", "superficie géodésique"),
    Column("area_low_ha", "float", "ha", "lower bound of the area", "borne basse"),
    Column("area_high_ha", "float", "ha", "upper bound of the area", "borne haute"),
)

_PLACE: tuple[Column, ...] = (
    Column("aoi", "text", "", "area of interest", "zone d'intérêt"),
    Column("zone_id", "text", "", "zone that holds most of it", "zone", nullable=True),
)

_WHAT: tuple[Column, ...] = (
    Column("activity", "text", "", "activity in the last reported period", "activité"),
    Column("type", "text", "", "kind of working", "type d'exploitation"),
)

_WHY: tuple[Column, ...] = (
    Column("confidence", "float", "probability", "probability that it is mining", "probabilité d'exploitation"),
    Column("reasons", "list", "", "what the probability rests on", "motifs"),
    Column("n_clear", "int", "looks", "median clear looks of its pixels since the monitor start", "images claires (médiane)"),
)

_PERIOD: tuple[Column, ...] = (
    Column("period_start", "date", "", "first day of the period", "début de période"),
    Column("period_end", "date", "", "last day of the period, cut at as-of", "fin de période"),
)

_PREDATES = Column("predates_history", "bool", "", "already there in the first baseline image", "antérieur à l'historique")
_NEW_AREA = Column("area_new_ha", "float", "ha", "dug since the monitor start", "superficie nouvelle", nullable=True)

TABLES: Mapping[str, tuple[Column, ...]] = MappingProxyType(
    {
        "mining_footprints": (
            Column("footprint_id", "text", "", "stable id of the mining footprint", "identifiant de l'emprise minière"),
            Column("site_id", "text", "", "site in the register", "site du registre"),
            *_PLACE,
            *_PERIOD,
            _LIFE[0],
            _PREDATES,
            *_LIFE[1:],
            Column("status", "text", "", "alert status", "statut"),
            *_WHAT,
            *_AREA,
            _NEW_AREA,
            *_WHY,
            Column("sensors", "list", "", "sensors that saw it", "capteurs"),
            Column("scenes", "list", "", "confirming scenes (at most 8; all in the parquet)", "images de confirmation"),
            *_RUN,
        ),
        "alerts": (
            Column("alert_id", "text", "", "stable id of the alert", "identifiant de l'alerte"),
            Column("status", "text", "", "candidate, provisional, confirmed or unresolved", "statut"),
            _LIFE[0],
            _LIFE[2],
            _LIFE[1],
            Column("area_ha", "float", "ha", "geodesic area", "superficie géodésique"),
            Column("n_clear", "int", "looks", "median clear looks since the monitor start", "images claires (médiane)"),
            Column("confuser", "text", "", "what it looks like if not mining", "confusion probable", nullable=True),
            *_RUN,
        ),
        "sites": (
            Column("site_id", "text", "", "stable id, never reused", "identifiant du site"),
            *_PLACE,
            _LIFE[0],
            _PREDATES,
            *_LIFE[1:],
            Column("status", "text", "", "alert status", "statut"),
            *_WHAT,
            Column("confuser", "text", "", "what it looks like if not mining", "confusion probable", nullable=True),
            *_AREA,
            _NEW_AREA,
            *_WHY,
            Column("event", "text", "", "what happened since the last run", "évènement", nullable=True),
            Column("lineage", "list", "", "ids merged into or split from it", "filiation"),
            *_RUN,
        ),
        "footprint_periods": (
            Column("footprint_id", "text", "", "mining footprint", "emprise minière"),
            Column("site_id", "text", "", "site in the register", "site du registre"),
            Column("period_kind", "text", "", "month, quarter, half, year or season", "type de période"),
            *_PERIOD,
            Column("activity", "text", "", "activity in the period", "activité"),
            Column("area_ha", "float", "ha", "ground dug up to the period's end", "superficie cumulée"),
            _NEW_AREA,
            Column("observed_share", "float", "share", "its ground seen clear in the period", "part observée"),
            *_RUN,
        ),
        "sub_mmu": (
            Column("alert_id", "text", "", "id of the point", "identifiant"),
            Column("status", "text", "", "alert status", "statut"),
            *_LIFE,
            Column("area_ha", "float", "ha", "area of its pixels, below the minimum mapping unit", "superficie"),
            *_RUN,
        ),
        "dropped": (
            Column("alert_id", "text", "", "id of the dropped alert", "identifiant"),
            Column("status", "text", "", "dropped", "statut"),
            *_LIFE,
            Column("area_ha", "float", "ha", "geodesic area", "superficie géodésique"),
            *_RUN,
        ),
        "ground": (
            Column("footprint_id", "text", "", "mining footprint", "emprise minière"),
            Column("zone_id", "text", "", "zone that holds the ground, empty for the whole footprint", "zone"),
            Column("first_seen", "date", "", "first evidence of this part of it", "premier indice"),
            Column("area_m2", "float", "m2", "geodesic area", "superficie géodésique"),
            Column("low_m2", "float", "m2", "lower bound of the area", "borne basse"),
            Column("high_m2", "float", "m2", "upper bound of the area", "borne haute"),
            Column("anchor", "bool", "", "the footprint is counted as a site in the zones of this row", "compte le site"),
        ),
        "zones": (
            Column("zone_id", "text", "", "zone", "zone"),
            Column("zone_name", "text", "", "name", "nom"),
            Column("zone_role", "text", "", "zone, comparison, border or watch", "rôle"),
            Column("status_on_date", "text", "", "Kimberley Process status on the as-of date", "statut à la date"),
            Column("period_kind", "text", "", "month, quarter, half, year or season", "type de période"),
            *_PERIOD,
            Column("observed_share", "float", "share", "ground seen clear at least once in the period", "part observée"),
            Column("never_seen_clear_share", "float", "share", "ground never seen clear up to as-of", "part jamais vue claire"),
            Column("days_since_clear", "int", "days", "median days from the last clear look to as-of", "jours depuis image claire", True),
            Column("n_sites_new", "int", "sites", "sites first seen in the period", "nouveaux sites", nullable=True),
            Column("n_sites_active", "int", "sites", "sites with fresh digging in the period", "sites actifs", nullable=True),
            Column("area_new_ha", "float", "ha", "ground newly dug in the period", "superficie nouvelle", nullable=True),
            Column("area_active_ha", "float", "ha", "area of the active sites", "superficie active", nullable=True),
            Column("area_new_low_ha", "float", "ha", "lower bound of area_new_ha", "borne basse", nullable=True),
            Column("area_new_high_ha", "float", "ha", "upper bound of area_new_ha", "borne haute", nullable=True),
            Column("same_season_change_ha", "float", "ha", "area_new_ha less that of the same period a year before", "écart même saison", True),
            Column("answer", "text", "", "does the activity support the volume exported", "réponse"),
            *_RUN,
        ),
    }
)

ANSWERS: tuple[str, ...] = ("plausible", "low_activity_for_volume", "high_activity_for_volume", "cannot_tell")


def layer(name: str) -> Layer:
    """The layer of that name."""
    return next(entry for entry in LAYERS if entry.name == name)


def columns(table: str) -> tuple[str, ...]:
    """Column names of a table, in file order."""
    return tuple(column.name for column in TABLES[table])
