"""Traces to and from the files of other programs; one format is one module."""

from cosim.trace.exchange.exporting import export_trace
from cosim.trace.exchange.importing import import_trace

__all__ = ["export_trace", "import_trace"]
