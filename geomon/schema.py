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


_DAY = "days since 1970-01-01"

LAYERS: tuple[Layer, ...] = (
    Layer("score", "float32", float("nan"), "sigma", "accumulated evidence of change", "indice cumulé de changement"),
    Layer("alert", "uint8", 0, "AlertStatus", "alert status", "statut d'alerte"),
    Layer("first_seen", "uint16", 0, _DAY, "where the run of evidence began", "début des indices"),
    Layer(
        "clear_before", "uint16", 0, _DAY, "last clear look before the evidence", "dernière image claire avant l'indice"
    ),
    Layer("confirmed_on", "uint16", 0, _DAY, "look that confirmed it", "image de confirmation"),
    Layer("last_seen", "uint16", 0, _DAY, "last look with evidence", "dernier indice"),
    Layer("gone_on", "uint16", 0, _DAY, "later clear looks undid it", "changement effacé"),
    Layer("reopened_seen", "uint16", 0, _DAY, "where a later event on gone ground began", "début d'une réouverture"),
    Layer("reopened_on", "uint16", 0, _DAY, "look that confirmed that event", "réouverture confirmée"),
    Layer("dug_on", "uint16", 0, _DAY, "changed for half a year: dug for good", "creusé durablement"),
    Layer("last_clear", "uint16", 0, _DAY, "last clear look", "dernière image claire"),
    Layer("n_clear", "uint16", None, "looks", "clear looks since the monitor start", "images claires depuis le début"),
    Layer("n_clear_baseline", "uint16", None, "looks", "clear looks in the baseline", "images claires de la référence"),
    Layer("n_hits", "uint16", None, "looks", "looks with evidence since first seen", "images avec indice"),
    Layer(
        "n_after", "uint16", None, "looks", "clear looks since first seen", "images claires depuis le premier indice"
    ),
    Layer("bare", "uint8", 255, "percent", "bare ground after the change", "part de sol nu après changement"),
    Layer("water", "uint8", 255, "percent", "turbid or standing water after the change", "part d'eau après changement"),
    Layer("turbid", "uint8", 255, "percent", "turbid water after the change", "part d'eau turbide après changement"),
    Layer("was_bare", "uint8", 255, "percent", "bare at the greenest time of the baseline", "sol nu avant le suivi"),
    Layer("was_turbid", "uint8", 255, "percent", "turbid water at that time", "eau turbide avant le suivi"),
    Layer("was_still", "uint8", 255, "percent", "still water at that time", "eau calme avant le suivi"),
    Layer("proof", "uint16", 0, _DAY, "the three confirming looks", "les trois images de confirmation", 3),
    Layer("seen_months", "uint8", None, "bits", "bit i = month i of the monitor seen clear", "mois vus clairs"),
)
"""`seen_months` has one band per eight months of the monitor period, so its `count` is set by the run."""


def _null(name: str, kind: ColumnType, unit: str, en: str, fr: str) -> Column:
    return Column(name, kind, unit, en, fr, nullable=True)


_SHARED = {
    column.name: column
    for column in (
        Column("footprint_id", "text", "", "stable id of the mining footprint", "identifiant de l'emprise minière"),
        Column("site_id", "text", "", "site in the register, its id never reused", "site du registre"),
        Column("alert_id", "text", "", "stable id of the alert", "identifiant de l'alerte"),
        Column("aoi", "text", "", "area of interest", "zone d'intérêt"),
        _null("zone_id", "text", "", "zone that holds most of it", "zone"),
        Column("period_kind", "text", "", "month, quarter, half, year or season", "type de période"),
        Column("period_start", "date", "", "first day of the period", "début de période"),
        Column("period_end", "date", "", "last day of the period, cut at as-of", "fin de période"),
        _null("first_seen", "date", "", "where its run of evidence began", "premier indice"),
        Column("predates_history", "bool", "", "some of it was open before, date unknown", "antérieur à l'historique"),
        _null("confirmed_on", "date", "", "look that brought it to the minimum mapping unit", "confirmé le"),
        _null("last_seen", "date", "", "last look with evidence", "dernier indice"),
        Column("status", "text", "", "alert status", "statut"),
        Column("activity", "text", "", "activity in the last reported period", "activité"),
        Column("type", "text", "", "kind of working", "type d'exploitation"),
        _null("confuser", "text", "", "what it looks like if not mining", "confusion probable"),
        Column("area_ha", "float", "ha", "ground dug, by shares of pixels", "superficie creusée"),
        Column("area_low_ha", "float", "ha", "lower bound of the area", "borne basse"),
        Column("area_high_ha", "float", "ha", "upper bound of the area", "borne haute"),
        _null("area_new_ha", "float", "ha", "dug since the monitor start", "superficie nouvelle"),
        Column("confidence", "float", "probability", "probability that it is mining", "probabilité d'exploitation"),
        Column("reasons", "list", "", "what the probability rests on", "motifs"),
        Column("n_clear", "int", "looks", "median clear looks since the monitor start", "images claires (médiane)"),
        Column("sensors", "list", "", "sensors that saw it", "capteurs"),
        Column("scenes", "list", "", "confirming scenes (at most 8; all in the parquet)", "images de confirmation"),
        _null("event", "text", "", "what happened since the last run", "évènement"),
        Column("lineage", "list", "", "ids merged into or split from it", "filiation"),
        Column("release", "text", "", "who may see this row", "diffusion autorisée"),
        Column("run_id", "text", "", "first 12 hex digits of the run key", "identifiant du calcul"),
    )
}
"""Columns that stand in several tables, or mean the same in any."""


def _table(names: str, *own: Column) -> tuple[Column, ...]:
    """The columns of these names, in this order: the table's own ones, else shared ones."""
    known = _SHARED | {column.name: column for column in own}
    return tuple(known[name] for name in names.split())


TABLES: Mapping[str, tuple[Column, ...]] = MappingProxyType(
    {
        "mining_footprints": _table(
            "footprint_id site_id aoi zone_id period_start period_end first_seen predates_history confirmed_on "
            "last_seen status activity type area_ha area_low_ha area_high_ha area_new_ha outline_ha confidence reasons "
            "n_clear sensors scenes release run_id",
            Column("outline_ha", "float", "ha", "geodesic area of the outline, undug rims included", "emprise"),
        ),
        "alerts": _table(
            "alert_id status first_seen last_seen confirmed_on area_ha n_clear confuser release run_id",
            Column("status", "text", "", "candidate, provisional, confirmed or unresolved", "statut"),
        ),
        "sites": _table(
            "site_id aoi zone_id first_seen predates_history confirmed_on last_seen status activity type confuser "
            "area_ha area_low_ha area_high_ha area_new_ha confidence reasons n_clear event lineage release run_id"
        ),
        "footprint_periods": _table(
            "footprint_id site_id period_kind period_start period_end activity area_ha area_new_ha regrown_share "
            "observed_share release run_id",
            Column("activity", "text", "", "activity in the period", "activité"),
            Column("area_ha", "float", "ha", "ground dug up to the period's end", "superficie cumulée"),
            _null("area_new_ha", "float", "ha", "ground newly dug in the period", "superficie nouvelle"),
            Column("regrown_share", "float", "share", "its ground overgrown by the period's end", "part reverdie"),
            Column("observed_share", "float", "share", "its ground seen clear in the period", "part observée"),
        ),
        "sub_mmu": _table(
            "alert_id status first_seen confirmed_on last_seen area_ha release run_id",
            Column("area_ha", "float", "ha", "area of its pixels, below the minimum mapping unit", "superficie"),
        ),
        "dropped": _table("alert_id status first_seen confirmed_on last_seen area_ha release run_id"),
        "ground": _table(
            "footprint_id zone_id first_seen area_m2 low_m2 high_m2 anchor",
            Column("zone_id", "text", "", "zone that holds the ground, empty for the whole footprint", "zone"),
            Column("first_seen", "date", "", "first evidence of this part of it", "premier indice"),
            Column("area_m2", "float", "m2", "geodesic area", "superficie géodésique"),
            Column("low_m2", "float", "m2", "lower bound of the area", "borne basse"),
            Column("high_m2", "float", "m2", "upper bound of the area", "borne haute"),
            Column("anchor", "bool", "", "its footprint counts as a site in this row's zones", "compte le site"),
        ),
        "zones": _table(
            "zone_id zone_name zone_role status_on_date period_kind period_start period_end observed_share "
            "never_seen_clear_share days_since_clear n_sites_new n_sites_active area_new_ha area_active_ha "
            "area_new_low_ha area_new_high_ha same_season_change_ha answer release run_id",
            Column("zone_id", "text", "", "zone", "zone"),
            Column("zone_name", "text", "", "name", "nom"),
            Column("zone_role", "text", "", "zone, comparison, border or watch", "rôle"),
            Column("status_on_date", "text", "", "Kimberley Process status on the as-of date", "statut à la date"),
            Column("observed_share", "float", "share", "ground seen clear in the period", "part observée"),
            Column(
                "never_seen_clear_share", "float", "share", "never seen clear up to as-of", "part jamais vue claire"
            ),
            _null(
                "days_since_clear", "int", "days", "median days since the last clear look", "jours depuis image claire"
            ),
            _null("n_sites_new", "int", "sites", "sites first seen in the period", "nouveaux sites"),
            _null("n_sites_active", "int", "sites", "sites with fresh digging in the period", "sites actifs"),
            _null("area_new_ha", "float", "ha", "ground newly dug in the period", "superficie nouvelle"),
            _null("area_active_ha", "float", "ha", "area of the active sites", "superficie active"),
            _null("area_new_low_ha", "float", "ha", "lower bound of area_new_ha", "borne basse"),
            _null("area_new_high_ha", "float", "ha", "upper bound of area_new_ha", "borne haute"),
            _null(
                "same_season_change_ha", "float", "ha", "area_new_ha less that of a year before", "écart même saison"
            ),
            Column("answer", "text", "", "does the activity support the volume exported", "réponse"),
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
