"""The `geomon` command: arguments in; tables to stdout, everything else to stderr, and an exit code out.

The one place that prints. Heavy imports stand inside the commands, so that help is instant.
"""

from __future__ import annotations

import csv
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from geomon import __version__
from geomon.errors import DataError

if TYPE_CHECKING:
    from geomon.store import Store
    from pipelines.run import Request, Watch

Rows = Sequence[Mapping[str, object]]

app = typer.Typer(
    name="geomon",
    help="Satellite monitoring of artisanal alluvial mining: where, when and how much ground was dug.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
areas = typer.Typer(help="Look at areas of interest.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(areas, name="aoi")

ConfigArg = Annotated[Path, typer.Argument(help="Configuration file of the job (YAML).", show_default=False)]
AsOf = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day to know of, UTC; default: today.")]
StoreOpt = Annotated[Path | None, typer.Option("--store", help="Directory of results; default: the config's.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]

_PLAN = ("tile", "state", "why", "looks", "scenes", "megabytes")
_SITES = (
    "site_id", "zone_id", "status", "activity", "type", "first_seen", "confirmed_on", "last_seen", "area_ha",
    "confidence", "confuser",
)  # fmt: skip
_ZONES = (
    "zone_id", "zone_name", "period_kind", "period_start", "observed_share", "n_sites_new", "n_sites_active",
    "area_new_ha", "area_active_ha", "answer",
)  # fmt: skip


def _show_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    del version  # its callback has seen to it


@app.command()
def plan(
    config: ConfigArg, as_of: AsOf = None, store: StoreOpt = None, as_json: AsJson = False, as_csv: AsCsv = False
) -> None:
    """Show what a run would do with each tile, why, and what it would read; change nothing."""
    from pipelines import run as runs

    _print([asdict(tile) for tile in runs.plan(_request(config, as_of, store))], _PLAN, as_json=as_json, as_csv=as_csv)


@app.command()
def run(
    config: ConfigArg,
    as_of: AsOf = None,
    store: StoreOpt = None,
    only: Annotated[
        Literal["observe", "detect", "delineate", "register", "summarise"] | None,
        typer.Option(help="Do this stage alone; those before it must be done."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing: the same as plan.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="How long to wait for another run on the store [s].")] = 3600.0,
    as_json: AsJson = False,
) -> None:
    """Search, detect, delineate, register, summarise and publish; read only what is new."""
    if dry_run:
        plan(config, as_of, store, as_json=as_json)
        return
    request = replace(_request(config, as_of, store), only=only, wait_s=wait)
    raise typer.Exit(_run(request, as_json=as_json))


@app.command("config")
def show_config(config: ConfigArg, as_json: AsJson = False) -> None:
    """Print the effective configuration, each key with its meaning."""
    from geomon.config import commented_yaml, load

    loaded = load(config)
    print(
        json.dumps(loaded.model_dump(mode="json"), indent=1) if as_json else commented_yaml(loaded),
        end="\n" if as_json else "",
    )


@app.command()
def sites(
    config: ConfigArg,
    history: Annotated[list[str] | None, typer.Argument(help="`history ID`: the life of one site, run by run.")] = None,
    store: StoreOpt = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Print the site register of the newest run, or with `history ID` one site in every run."""
    from geomon.store.publish import Store

    words = [str(config), *(history or [])]
    site_id = None
    if "history" in words and len(words) == 3:
        place = words.index("history")
        site_id = words[place + 1] if place + 1 < len(words) else None
        config = Path(next(word for word in words if word not in ("history", site_id)))
    if history and site_id is None:
        raise typer.BadParameter("expected nothing or `history ID` after the config", param_hint="history")
    held = Store(_request(config, None, store).store)
    if site_id is None:
        _print(_rows(held, held.latest, "sites"), _SITES, as_json=as_json, as_csv=as_csv)
        return
    rows = []
    for record in held.history():
        for row in _rows(held, held.run_dir(str(record["run_id"])), "sites"):
            if row["site_id"] == site_id:
                rows.append({"as_of": record["as_of"], **row})
    if not rows:
        raise typer.BadParameter(
            f"expected a site of the register, got '{site_id}'; `geomon sites` lists them", param_hint="history"
        )
    _print(rows, ("as_of", *_SITES, "event", "run_id"), as_json=as_json, as_csv=as_csv)


@app.command()
def zones(config: ConfigArg, store: StoreOpt = None, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Print the zone table of the newest run."""
    from geomon.store.publish import Store

    held = Store(_request(config, None, store).store)
    _print(_rows(held, held.latest, "zones"), _ZONES, as_json=as_json, as_csv=as_csv)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Directory for the simulated catalogue and the results.")] = Path(
        "demo-out"
    ),
    size: Annotated[int, typer.Option(min=64, max=2048, help="Side of the simulated square [pixels of 10 m].")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated landscape.")] = 20240131,
    as_json: AsJson = False,
) -> None:
    """Simulate a landscape with known truth, run the whole job on it, and print the zone table."""
    from pipelines import demo as demos

    with _progress("simulating") as watch:
        config = demos.prepare(out, size_px=size, seed=seed, progress=watch.tiles)
    code = _run(_request(config, None, None), as_json=as_json)
    if code == 0 and not as_json:
        print("\nSIMULATED landscape: no satellite saw it. Zone table:")
        zones(config)
    raise typer.Exit(code)


@areas.command("list")
def list_areas(as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """List the areas that come with the project."""
    from geomon.aoi import read_aoi
    from geomon.config import PROJECT_AOI

    rows = [
        {"aoi": path.stem, "zones": ", ".join(z.name for z in read_aoi(path).features)}
        for path in sorted(PROJECT_AOI.glob("*.geojson"))
    ]
    _print(rows, ("aoi", "zones"), as_json=as_json, as_csv=as_csv)


@areas.command("check")
def check_area(
    file: Annotated[Path, typer.Argument(help="GeoJSON file.", show_default=False)],
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Check an area of interest and print its zones with their areas."""
    from geomon.aoi import read_aoi
    from geomon.grid import areas_m2

    features = read_aoi(file).features
    rows = [
        {
            "id": zone.id,
            "name": zone.name,
            "role": str(zone.role),
            "status": zone.status,
            "area_ha": round(float(area) / 1e4, 1),
        }
        for zone, area in zip(features, areas_m2([zone.geometry for zone in features]), strict=True)
    ]
    _print(rows, ("id", "name", "role", "status", "area_ha"), as_json=as_json, as_csv=as_csv)


# ---------------------------------------------------------------- running


def _request(path: Path, as_of: datetime | None, store: Path | None) -> Request:
    from geomon.config import load
    from pipelines.job import today
    from pipelines.run import Request

    config = load(path)
    where = config.store_path if store is None else Path.cwd() / store
    return Request(config=config, store=where, asked=as_of.date() if as_of is not None else today())


def _run(request: Request, *, as_json: bool) -> int:
    from pipelines import run as runs

    with _progress("tiles") as watch:
        report = runs.run(request, watch)
    for failure in report.failed:
        _say(f"{failure.unit}: {failure.message}\n{failure.trace}".rstrip())
    if report.incomplete_reads:
        _say(f"{report.incomplete_reads} reads of a scene on a tile failed; the next run tries them again (run.json).")
    if report.refused:
        _say(f"{report.refused} items of the catalogue were refused; run.json says which and why.")
    if report.bands_lacking:
        _say(f"the scenes lack {', '.join(report.bands_lacking)}; the detector worked without.")
    facts = {name: value for name, value in asdict(report).items() if name != "failed"}
    if as_json:
        print(json.dumps({**facts, "failed": [failure.facts for failure in report.failed]}, indent=1))
    else:
        print(f"{report.status}: run {report.run_id} as of {report.as_of}; products: {report.products}")
    return report.exit_code


@contextmanager
def _progress(title: str) -> Iterator[Watch]:
    """A bar on a terminal; elsewhere the log lines of the stages say how it goes."""
    from pipelines.run import Watch

    if not sys.stderr.isatty():
        yield Watch(waiting=_say_waiting, tiles=_ignore)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)
        yield Watch(waiting=_say_waiting, tiles=lambda done, total: bar.update(task, completed=done, total=total))


def _ignore(done: int, total: int) -> None:
    logging.getLogger(__name__).debug("progress", extra={"done": done, "total": total})


def _say_waiting() -> None:
    _say("another run holds the store; waiting for it to end")


# ---------------------------------------------------------------- printing


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _rows(store: Store, folder: Path, name: str) -> Rows:
    """Rows of a published table; a message when nothing is published."""
    if store.run_record(folder) is None:
        raise DataError(f"{store.root} must hold a published run, but holds none; run `geomon run` first.")
    return store.rows(folder, name)


def _print(rows: Rows, names: Sequence[str], *, as_json: bool, as_csv: bool) -> None:
    """Rows to stdout: a table of the columns named, or all columns as CSV or JSON."""
    if as_json:
        print(json.dumps(list(rows), indent=1, ensure_ascii=False))
        return
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        columns = list(rows[0]) if rows else list(names)
        writer.writerow(columns)
        writer.writerows([_cell(row[name]) for name in columns] for row in rows)
        return
    texts = [list(names), *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in texts) for place in range(len(names))]
    for line in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return ""
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def main() -> None:
    """Run the command; an expected error is one message, anything else a bug with its traceback."""
    from pipelines.job import Attempt, Failure, log_to_stderr

    log_to_stderr()
    command: Attempt[str, object] = Attempt(lambda _: app())
    result = command("geomon")
    if isinstance(result, Failure):
        _say(f"{result.trace}{result.message}" if result.trace else f"geomon: {result.message}")
        raise SystemExit(result.exit_code)


if __name__ == "__main__":
    main()
