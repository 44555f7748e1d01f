"""Satellite monitoring of artisanal alluvial mining: scenes in, mining footprints out.

This package knows how: arrays, values and tables in, arrays, values and tables out. It does not decide when anything
runs (that is ``pipelines``), it does not read the calendar, and it never says whose stones are dug.
"""

__version__ = "0.1.0"
