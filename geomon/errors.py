"""What can go wrong, by who can mend it: one base, three families, each with its exit code.

A scheduler can do four things with a failed job (edit a file, run it again, look at the data, call a programmer),
so there are three families of our own and "anything else", which is a bug (70). Every message has three parts:
what was expected, what came (with its id and value), what to do. This module imports nothing of geomon.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_DATA = 65
EXIT_BUG = 70
EXIT_TRY_LATER = 75
EXIT_CONFIG = 78


class GeomonError(Exception):
    """Base of all expected errors.

    Parameters
    ----------
    message : str
        What was expected, what came, what to do.
    **fields
        Structured facts for the log (ids, hrefs, values); never secrets.
    """

    exit_code: int = EXIT_BUG

    def __init__(self, message: str, **fields: object) -> None:
        super().__init__(message)
        self.fields = fields


class ConfigError(GeomonError):
    """A person must edit a file: the config, the AOI, the zones."""

    exit_code = EXIT_CONFIG


class SourceError(GeomonError):
    """The far end, or the store's disk, failed: run the job again."""

    exit_code = EXIT_TRY_LATER


class CatalogUnavailable(SourceError):
    """The catalogue did not answer, or answered something that is not STAC."""


class AssetUnreadable(SourceError):
    """One band of one scene could not be read; the scene x tile is incomplete and the next run retries it."""


class StoreUnavailable(SourceError):
    """The store cannot be written now: full, read-only, or held by another run."""


class DataError(GeomonError):
    """What arrived cannot be used."""

    exit_code = EXIT_DATA


class ItemRefused(DataError):
    """A STAC item lacks what a scene needs, or names something hostile; it is recorded and the rest goes on."""


class GridMismatch(DataError):
    """Arrays or rasters do not lie on the lattice they were said to lie on."""


class SchemaMismatch(DataError):
    """A table or layer does not have the columns or types that `geomon.schema` declares."""


class RegisterConflict(DataError):
    """The site register and what is to be merged into it contradict each other."""
