"""`cosim trace` and `cosim watch`: look into traces, export and import them."""

import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.app import (
    Debug,
    Json,
    Member,
    Signals,
    Start,
    Stop,
    app,
    console,
    error_console,
    interruptible,
    matched,
    print_json,
)
from cosim.errors import ConfigurationError
from cosim.terminal import visible

if TYPE_CHECKING:
    from cosim.trace import Trace

trace_app = typer.Typer(
    help="Look into a recorded trace, export it, import others.", no_args_is_help=True
)


app.add_typer(trace_app, name="trace")


TraceFile = Annotated[Path, typer.Argument(help="A trace, finished or still being written.")]


@trace_app.command()
def info(path: TraceFile, as_json: Json = False, debug: Debug = False) -> None:
    """Show what a trace holds and how its run ended."""
    from cosim.trace import Trace

    if as_json:
        with Trace.open(path) as trace:
            print_json(trace.summary())
        return
    console.print(repr(Trace.open(path)), highlight=False, soft_wrap=True)


@trace_app.command()
def verify(path: TraceFile, as_json: Json = False, debug: Debug = False) -> None:
    """Check a finished trace against its content hash."""
    from cosim.trace import Trace

    Trace.open(path).verify()
    if as_json:
        print_json({"path": str(path), "as_recorded": True})
        return
    console.print(f"{path!s}: every value is as it was recorded.", highlight=False)


@trace_app.command()
def measure(
    path: TraceFile,
    signal: Annotated[str, typer.Argument(help="A signal's name.")],
    measurements: Annotated[
        list[str] | None,
        typer.Argument(
            help="Such as overshoot, settling_time=0.01, crossing=0.5,rise,2, delay=OTHER or "
            "energy=CURRENT (default: min, max, mean and rms); the manual has them all."
        ),
    ] = None,
    start: Start = -math.inf,
    stop: Stop = math.inf,
    member: Member = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure a signal: levels, crossings, rise and settling times, frequency, energy."""
    from cosim.trace import Trace
    from cosim.trace.measure_named import USUAL, measure_named

    with Trace.open(path) as trace:
        chosen = (trace if member is None else trace.member(member)).window(start, stop)
        found = {asked: measure_named(chosen, signal, asked) for asked in measurements or USUAL}
    if as_json:
        print_json({asked: {"value": float(q), "unit": q.units} for asked, q in found.items()})
        return
    width = max(map(len, found))
    for asked, quantity in found.items():
        console.print(f"{asked:{width}}  {quantity.render(prec=6)}", highlight=False)


@trace_app.command()
def plot(
    path: TraceFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .png, .svg or .pdf (default: beside the trace)."),
    ] = None,
    signals: Signals = None,
    start: Start = -math.inf,
    stop: Stop = math.inf,
    member: Member = None,
    debug: Debug = False,
) -> None:
    """Draw signals over circuit time, of a run that may still be going on; no peak is lost. Of an
    ensemble, all members over each other.
    """
    from cosim.files import make_folder
    from cosim.report.trace_figure import draw_trace
    from cosim.trace import Trace

    figure = output or path.with_suffix(".png")
    make_folder(figure.parent)
    with Trace.open(path) as trace:
        windows = _windows(trace, member, start, stop)
        draw_trace(windows, matched(windows[0], signals), figure)
    console.print(f"figure   {figure}", highlight=False, soft_wrap=True)


def _windows(trace: "Trace", member: int | None, start: float, stop: float) -> "list[Trace]":
    """A run, a member of an ensemble, or without its number all members that have points."""
    numbers = range(trace.members or 0) if member is None else [member]
    every = [trace.member(number) for number in numbers] or [trace]
    windows = [one.window(start, stop) for one in every]
    return [one for one in windows if one.points] or windows[:1]


@trace_app.command()
def tail(
    path: TraceFile,
    lines: Annotated[int, typer.Option("--lines", "-n", help="Points to begin with.", min=0)] = 10,
    signals: Signals = None,
    member: Member = None,
    debug: Debug = False,
) -> None:
    """Print the last points, and those that come until the run has ended; tab-separated. Of an
    ensemble, those of the member that is being simulated, one after another.
    """
    from cosim.report.live import QUIET_SECOND, quiet_note
    from cosim.trace.follow import follow, viewed

    printed: int | None = None
    number: int | None = None
    names: list[str] = []
    heard, noted = time.monotonic(), False
    with interruptible("The run goes on."):
        for trace in follow(path):
            now, came = viewed(trace, member), False
            # What is left of the member before comes first.
            for each in [now] if printed is None or now == number else [number, now]:
                chosen = trace if each is None else trace.member(each)
                if printed is None:
                    names = matched(chosen, signals)
                    print(visible("\t".join(["time_second", *names])))
                    printed = max(chosen.points - lines, 0)
                elif each != number:
                    printed = 0
                if each != number:
                    error_console.print(f"member {each}", highlight=False)
                number, new = each, slice(printed, chosen.points)
                columns = [chosen.read(name, new) for name in ("time", *names)]
                for row in zip(*columns, strict=True):
                    print("\t".join(f"{value:.9g}" for value in row))
                sys.stdout.flush()
                came, printed = came or chosen.points > printed, chosen.points
            if came:
                heard, noted = time.monotonic(), False
            elif not noted and time.monotonic() - heard > QUIET_SECOND:
                error_console.print(quiet_note(time.monotonic() - heard), highlight=False)
                noted = True
            if trace.status != "running":
                error_console.print(f"{trace.status} {trace.reason}", highlight=False)


@app.command()
def watch(
    path: TraceFile,
    signals: Signals = None,
    member: Member = None,
    web: Annotated[
        bool, typer.Option("--web", help="The page of `cosim report`, live, in a browser.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Watch a run from another terminal: how far it is, and its signals, until it has ended. Of an
    ensemble, the member that is being simulated. With --web in a browser, until Ctrl-C.
    """
    if web:
        if signals or member is not None:
            raise ConfigurationError(
                "--web shows every signal and member: leave out --signals and --member."
            )
        _serve(path)
        return
    from rich.live import Live

    from cosim.report.live import live_view
    from cosim.trace.follow import follow, viewed

    points, heard = -1, time.monotonic()
    with interruptible("The run goes on."), Live(console=console, auto_refresh=False) as live:
        for trace in follow(path):
            now = viewed(trace, member)
            chosen = trace if now is None else trace.member(now)
            if trace.points != points:
                points, heard = trace.points, time.monotonic()
            view = live_view(chosen, matched(chosen, signals), time.monotonic() - heard)
            live.update(view, refresh=True)


def _serve(path: Path) -> None:
    from cosim.report.page.server import PageServer

    with PageServer(path) as server, interruptible("The run goes on."):
        console.print(f"page     {server.address}", highlight=False, soft_wrap=True)
        console.print("Whoever has this address, on this machine, sees the run. Ctrl-C ends it.")
        server.serve_forever()


@trace_app.command()
def export(
    path: TraceFile,
    output: Annotated[
        Path,
        typer.Argument(
            help="File to write: .raw, .csv, .vcd, .fst, .parquet or .pwl; .gtkw or .sucl, a "
            "session of GTKWave or Surfer for the .fst or .vcd file beside it."
        ),
    ],
    signals: Signals = None,
    start: Start = -math.inf,
    stop: Stop = math.inf,
    member: Member = None,
    as_text: Annotated[bool, typer.Option("--ascii", help="A .raw file as text.")] = False,
    debug: Debug = False,
) -> None:
    """Write signals for another program: SPICE, a waveform viewer, pandas, a spreadsheet. A .raw
    file holds all members of an ensemble.
    """
    from cosim.trace import Trace
    from cosim.trace.exchange import export_trace

    with Trace.open(path) as trace, interruptible(f"{output} is as it was."):
        windows = _windows(trace, member, start, stop)
        export_trace(windows, output, signals or ["*"], as_text=as_text)
    console.print(f"export   {output}", highlight=False, soft_wrap=True)


@trace_app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A .raw file of ngspice or LTspice, or a .csv.")],
    output: Annotated[Path, typer.Argument(help="The trace to make.")],
    run: Annotated[
        int | None, typer.Option(help="Only this one of several runs, counted from 0.", min=0)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing trace.")] = False,
    debug: Debug = False,
) -> None:
    """Make a trace of a foreign simulator's waveforms, to compare them with our own; an ensemble
    of a .raw file with several runs.
    """
    from cosim.trace.exchange import import_trace

    with interruptible(f"{output} is as it was."):
        import_trace(source, output, run=run, overwrite=force)
    console.print(f"trace    {output}", highlight=False, soft_wrap=True)
