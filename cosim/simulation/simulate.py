"""The front door: a netlist, blocks, and what to record; a trace comes out."""

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from cosim.engine.worker import WorkerPool
from cosim.files import make_folder
from cosim.lockstep.block import Block
from cosim.lockstep.scheme import Scheme
from cosim.netlist.circuit import Netlist
from cosim.simulation.plan import Plan
from cosim.simulation.predecessor import Resume, is_done
from cosim.simulation.recording import record_ensemble
from cosim.simulation.second_run import second_opinion
from cosim.simulation.showing import shown
from cosim.trace import Trace

TIMEOUT_SECOND = 120.0


def simulate(
    netlist: Netlist,
    blocks: Sequence[Block] = (),
    *,
    stop: float | str,
    max_step: float | str | None = None,
    record: Sequence[str] | None = None,
    to: str | Path | None = None,
    scheme: str | type[Scheme] = "linearised",
    coupling_tolerance: float | str | None = None,
    confirm: bool | None = None,
    corner: str | None = None,
    temperature: float | None = None,
    seed: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    timeout: float = TIMEOUT_SECOND,
) -> Trace:
    """Simulate a netlist over time, with blocks in lockstep, and record it.

    Numbers are floats in SI units, or text as in a netlist ('50u'). Ctrl-C ends it; what was
    simulated by then is in the trace, whose status is 'interrupted'.

    Args:
        blocks: what is computed outside ngspice and drives nodes.
        stop: when it ends, seconds.
        max_step: largest step that ngspice may take; by default a thousandth of `stop`.
        record: nodes ('out', 'x1.tail'), currents ('i(vdd)') or patterns ('x1.*'); by default
            all of the top level.
        to: the trace's file; by default a temporary one, gone when the program ends.
        scheme: how blocks are coupled: 'explicit', 'extrapolated', 'linearised', the name of a
            plug-in's, a Python file ('my.py'), or a subclass of `cosim.lockstep.scheme.Scheme`.
        coupling_tolerance: wanted coupling error in volts, by which steps are chosen.
        confirm: whether the answer is held against a second opinion: the transient with steps of
            half the length and tolerances ten times as tight, and, without blocks, its operating
            point kicked and its sources alone. None: where a block is held between points (the
            schemes 'explicit' and 'extrapolated') or its coupling error is over 0.5 % of its
            range, or the netlist has expressions in time or tanks. That no step leaps over what a
            block or a source does is looked for, too. What differs is an event `unconfirmed` of the
            trace and a `UserWarning`.
        corner, temperature, seed: of the transistors; see `Netlist.given`.
        resume: of the same simulation in `to`: open it if it is complete, else simulate it again
            from its beginning, blocks with their state, so that the result is the same bit for bit.
        overwrite: replace a trace that is there.
        progress: show it, where there is a terminal or a notebook.
        timeout: seconds for which ngspice may accept no point.

    Returns:
        The complete trace, open. Where the coupling with a block was too coarse for the result to
        be trusted, or the second opinion differs, a `UserWarning` says so.

    Raises:
        ConfigurationError, NetlistError: it cannot be simulated, or another process writes that
            trace; nothing was written.
        TraceError: the trace cannot be written, or is there already.
        EngineError: the simulation failed; what was recorded before is in the trace.
        KeyboardInterrupt: Ctrl-C.
    """
    if (corner, temperature, seed) != (None, None, None):
        netlist = netlist.given(corner=corner, temperature=temperature, seed=seed)
    plan = Plan.of(netlist, blocks, stop, max_step, record, scheme, coupling_tolerance)
    path = trace_path(to)
    provenance = plan.provenance({}, {} if seed is None else {"monte_carlo": seed})
    there = resume and path.exists()
    if there and is_done(path, provenance):
        return Trace.open(path)
    with shown(progress, "simulate") as on_progress, WorkerPool(1, timeout) as pool:
        record_ensemble(
            [plan.simulation(0)],
            path,
            signals=plan.signals,
            provenance=provenance,
            told=netlist.trust_notes,
            executor=pool,
            retry=False,
            overwrite=overwrite,
            resume=Resume() if there else None,
            monitor=partial(second_opinion, [plan], confirm, partial(WorkerPool, 1, timeout)),
            judged=True,
            on_progress=on_progress,
        )
    return Trace.open(path)


def trace_path(to: str | Path | None) -> Path:
    """Where a trace goes; its folder is made."""
    if to is None:
        folder = tempfile.mkdtemp(prefix="cosim-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return Path(folder) / "trace.h5"
    path = Path(to)
    make_folder(path.parent)
    return path
