"""The trace store: one HDF5 file a run, streamed while it runs, readable meanwhile and after.

`schema` documents the layout, `writer` and `reader` the two ends.
"""

from cosim.trace.provenance import Host, Provenance
from cosim.trace.reader import Trace
from cosim.trace.schema import Event, Signal
from cosim.trace.table import SignalView, Table
from cosim.trace.writer import TraceWriter

__all__ = [
    "Event",
    "Host",
    "Provenance",
    "Signal",
    "SignalView",
    "Table",
    "Trace",
    "TraceWriter",
]
