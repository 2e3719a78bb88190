"""What a page shows of a trace: verdict, waveforms, diagram, events, members, provenance."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from cosim.errors import CosimError, MeasurementError
from cosim.netlist.model import Scope
from cosim.netlist.parse import parse
from cosim.report.page.diagram import diagram
from cosim.report.page.energy import advice, energies, supplies_of
from cosim.report.page.ensemble import Divergence, Members, cloud, members_of
from cosim.report.page.packing import Column, columns_of, packed
from cosim.trace import Trace
from cosim.trace.compare import comparison_rows
from cosim.trace.verdict import Comparison, Verdict

GOOD, DOUBTFUL, BAD = "good", "doubtful", "bad"
QUIET_EVENTS = ("process", "resumed")
"""Events that say how, not that something is wrong."""
MOST_EVENTS = 500
MEASURED = ("min", "max", "mean", "rms")
MOST_MEASURED = 300
MOST_BANDS, BAND_BYTE = 3, 100_000
"""Signals that are shown in their golden band, and how many bytes of each."""


@dataclass(frozen=True)
class Section:
    """A table with a heading, and pictures (`data:` addresses) under it; all of it text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""
    tone: str = ""
    images: Sequence[str] = ()
    is_open: bool = True


@dataclass(frozen=True)
class View:
    """One run on the page.

    Attributes:
        waves: packed waveforms, of a run one, of an ensemble those of the members shown.
        cloud: of an ensemble its members over time, or none.
    """

    title: str
    tone: str
    verdict: str
    facts: Sequence[tuple[str, object]]
    sections: Sequence[Section] = ()
    waves: Sequence[dict[str, Any]] = ()
    cloud: dict[str, Any] | None = None
    diagram: Markup = Markup()
    texts: Sequence[tuple[str, str]] = field(default_factory=tuple)

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script takes."""
        return {"title": self.title, "waves": list(self.waves), "cloud": self.cloud}


def view_of(
    trace: Trace,
    budget_byte: int,
    comparison: Comparison | None = None,
    divergence: Divergence | None = None,
) -> View:
    """A run or ensemble.

    Args:
        budget_byte: of its waveforms.
        comparison: with a golden trace, which is open.
        divergence: of an ensemble's members at instants from where they should be.

    Raises:
        TraceError: the trace is damaged.
    """
    tone, verdict = _verdict(trace, comparison)
    members = None if trace.members is None else members_of(trace)
    shown = [trace] if members is None else [trace.member(number) for number in members.shown]
    waves = [_waves(one, budget_byte // len(shown)) for one in shown]
    sections = []
    if comparison is not None:
        sections.append(_compared(comparison))
        waves[0]["tables"][:0] = _bands(comparison)
    if members is not None:
        sections.append(_member_section(members))
    provenance = trace.provenance
    top = _top(provenance.netlist)
    sections.append(_events(trace))
    if top is not None:
        sections.append(_energy(shown[0], top))
    sections += _measured(shown[0])
    return View(
        title=trace.path.name,
        tone=tone,
        verdict=verdict,
        facts=_facts(trace),
        sections=[section for section in sections if section.rows or section.note],
        waves=waves,
        cloud=None if members is None else cloud(trace, divergence),
        diagram=Markup() if top is None else diagram(top),
        texts=[("run file", provenance.configuration_toml), ("netlist", provenance.netlist)],
    )


def _verdict(trace: Trace, comparison: Comparison | None) -> tuple[str, str]:
    if trace.status != "complete":
        why = f": {trace.reason}" if trace.reason else ""
        return (DOUBTFUL if trace.status == "running" else BAD), f"{trace.status}{why}"
    if comparison is not None:
        tones = {Verdict.PASSED: GOOD, Verdict.DIFFERS: BAD, Verdict.CANNOT_TELL: DOUBTFUL}
        said = "as" if comparison.verdict is Verdict.PASSED else "against"
        name = Path(comparison.golden).name
        return tones[comparison.verdict], f"{comparison.verdict}: {said} the golden trace {name}"
    said_events = [event for event in trace.events if event.kind not in QUIET_EVENTS]
    if said_events:
        return DOUBTFUL, f"complete; events to look at: {len(said_events)}"
    return GOOD, "complete"


def _facts(trace: Trace) -> list[tuple[str, object]]:
    provenance = trace.provenance
    facts: list[tuple[str, object]] = [
        ("file", trace.path),
        ("started", provenance.started),
        ("command", provenance.command_line),
    ]
    if trace.members is not None:
        done = sum(status == "complete" for status in trace.member_statuses)
        facts.append(("members", f"{done} of {trace.members} complete"))
    elif trace.points:
        ends = [trace.read("time", part)[0] for part in (slice(0, 1), slice(-1, None))]
        facts.append(("points", f"{trace.points:,} from {ends[0]:.6g} s to {ends[1]:.6g} s"))
    if trace.wall_time_second is not None:
        facts.append(("took", f"{trace.wall_time_second:.3g} s"))
    facts += [
        ("software", ", ".join(f"{name} {one}" for name, one in provenance.software.items())),
        ("machine", f"{provenance.host.operating_system}, {provenance.host.cores} cores"),
        ("seeds", ", ".join(f"{name} {one}" for name, one in provenance.seeds.items())),
        ("model", provenance.model_sha256),
    ]
    return [(name, value) for name, value in facts if value != ""]


def _waves(trace: Trace, budget_byte: int) -> dict[str, Any]:
    label = "" if trace.number is None else f"member {trace.number}"
    tables = {"": trace, "coupling": trace.coupling}
    count = sum(len(table.names) for table in tables.values()) or 1
    return {
        "label": label,
        "tables": [
            {
                "title": title,
                **packed(
                    table.time_second,
                    columns_of(table),
                    len(table.names),
                    budget_byte * len(table.names) // count,
                ),
            }
            for title, table in tables.items()
            if table.names and table.points
        ],
    }


def _bands(comparison: Comparison) -> list[dict[str, Any]]:
    """The worst signals that do not pass, with the golden ones and the band around them."""
    failing = [one for one in comparison.signals if not one.passes and one.curves is not None]
    tables = []
    for one in sorted(failing, key=lambda one: one.severity, reverse=True)[:MOST_BANDS]:
        assert one.curves is not None
        curves = one.curves()
        columns = [
            Column(name, one.unit, about, values)
            for name, about, values in (
                ("lowest", "the band's lower border", curves.lowest),
                ("highest", "the band's upper border", curves.highest),
                ("golden", "the golden trace", curves.golden),
                ("run", "this run", curves.run),
            )
        ]
        found = packed(curves.time_second, columns, len(columns), BAND_BYTE)
        tables.append({"title": f"{one.title}, golden band", "band": True, **found})
    return tables


def _top(netlist: str) -> Scope | None:
    try:
        return parse(netlist, None).top
    except CosimError:
        return None  # no netlist that can be read: the text is on the page


def _energy(trace: Trace, top: Scope) -> Section:
    rows = [
        (one.source, one.to, f"{one.joule:.5g}", f"{one.watt:.5g}") for one in energies(trace, top)
    ]
    note = f"Of constant sources whose current was recorded. {advice(trace, top)}".strip()
    columns = ("source", "to", "energy (J)", "mean power (W)")
    return Section("Energy", columns, rows, note if supplies_of(top) else "")


def _events(trace: Trace) -> Section:
    events = trace.events
    rows = [
        (f"{one.time_second:.6g}" if np.isfinite(one.time_second) else "",
         "" if one.member < 0 else one.member, one.kind, one.message)
        for one in events[:MOST_EVENTS]
    ]  # fmt: skip
    note = "" if len(events) <= MOST_EVENTS else f"{len(events) - MOST_EVENTS} more in the trace"
    return Section(f"Events ({len(events)})", ("time (s)", "member", "kind", "what"), rows, note)


def _measured(trace: Trace) -> list[Section]:
    if not trace.points:
        return []
    rows = []
    for name in trace.names[:MOST_MEASURED]:
        signal = trace[name]
        cells = []
        for what in MEASURED:
            try:
                cells.append(getattr(signal, what)().render(prec=4))
            except MeasurementError:
                cells.append("-")
        rows.append((name, signal.unit, *cells, f"{signal[-1]:.6g}"))
    more = len(trace.names) - len(rows)
    note = f"{more} more signals in the trace" if more > 0 else ""
    who = "" if trace.number is None else f" of member {trace.number}"
    return [
        Section(f"Measurements{who}", ("signal", "unit", *MEASURED, "last"), rows, note,
                is_open=False)
    ]  # fmt: skip


def _compared(comparison: Comparison) -> Section:
    rows = comparison_rows(comparison)
    return Section(
        f"Against {Path(comparison.golden).name}: {comparison.verdict}",
        list(rows[0]) if rows else (),
        [list(row.values()) for row in rows],
        tone=GOOD if comparison.passes else BAD,
    )


def _member_section(members: Members) -> Section:
    note = (
        "Worst first: those that failed, then by events, then by how far their last values are "
        "from the median of all, in robust standard deviations."
    )
    rows = [
        (one.number, one.status, one.events, "-" if one.distance is None else f"{one.distance:.3g}")
        for one in members.ranked
    ]
    more = members.count - len(rows)
    note += f" {more} more in the trace." if more > 0 else ""
    return Section("Members", ("member", "status", "events", "distance"), rows, note, is_open=False)
