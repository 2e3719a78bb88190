"""What a trace holds, as plain data: for JSON, and for notebooks."""

from typing import Any

from cosim.trace.reader import Trace
from cosim.trace.table import Table


def summary(trace: Trace) -> dict[str, Any]:
    """Facts of a run, of an ensemble or of one of its members, whose values are not read."""
    provenance = trace.provenance
    return {
        "path": str(trace.path),
        "status": trace.status,
        "reason": trace.reason,
        "members": trace.member_statuses if trace._rows is None else None,
        "points": trace.points,
        "first_second": _time(trace, slice(0, 1)),
        "last_second": _time(trace, slice(-1, None)),
        "wall_time_second": trace.wall_time_second,
        "started": provenance.started,
        "software": provenance.software,
        "signals": _signals(trace),
        "coupling": _signals(trace.coupling),
        "events": [event._asdict() for event in trace.events],
    }


def _time(trace: Trace, point: slice) -> float | None:
    """None for an ensemble, whose members have times of their own, and before the first point."""
    if trace._rows is None or not trace.points:
        return None
    return float(trace.read("time", point)[0])


def _signals(table: Table) -> list[dict[str, str]]:
    signals = [table[name] for name in table.names]
    return [{"name": s.name, "unit": s.unit, "description": s.description} for s in signals]
