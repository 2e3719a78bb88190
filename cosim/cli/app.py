"""What all commands share: the application, its consoles, options, progress, interruption."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from cosim.errors import ConfigurationError
from cosim.terminal import Terminal, visible

EXIT_CODES = (
    "Exit codes: 0 done, or passed; 1 another fault; 2 wrong options, a run file or a path; 3 a "
    "netlist, or findings of `check`; 4 a comparison that differs; 5 a trace, or what cannot be "
    "measured in it; 6 a simulation that did not finish; 7 a comparison that cannot tell; 8 a run "
    "beyond its limits; 9 a model; 130 interrupted."
)


app = typer.Typer(
    name="cosim",
    help="Co-simulate analog circuits: ngspice in lockstep with torch.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"cosim {version('cosim')}")
        raise typer.Exit


@app.callback()
def _application(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


console = Terminal()


error_console = Terminal(stderr=True, soft_wrap=True)


INTERRUPTED = 130


FINDINGS, DIFFERENCES, CANNOT_TELL = 3, 4, 7


WIDE = 200


Fidelities = Annotated[
    list[str] | None,
    typer.Option(
        help="block=level, may be repeated: opamp, switch, multiplier, transimpedance, relu, cell, "
        "reference, dac or all (but dac); ideal, macro or transistor."
    ),
]


ProcessName = Annotated[
    str,
    typer.Option(
        help="gf180mcu, generic180, sky130, one of a plug-in, or a Python file (my.py) that runs "
        "to define it."
    ),
]


Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


Trust = Annotated[
    list[Path] | None,
    typer.Option(
        help="Let ngspice read the files of this folder, a foreign process library, as they are: "
        "they may hold commands. May be repeated."
    ),
]


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


Signals = Annotated[
    list[str] | None,
    typer.Option(help="Name or pattern with * and ?, may be repeated (default: all)."),
]


Start = Annotated[float, typer.Option(help="First circuit time in seconds.")]


Stop = Annotated[float, typer.Option(help="Last circuit time in seconds.")]


Member = Annotated[int | None, typer.Option(help="Which one, of an ensemble.", min=0)]


@contextmanager
def interruptible(what_is_kept: str) -> Iterator[None]:
    """Ctrl-C ends a command with one line and the shell's exit code for it."""
    try:
        yield
    except KeyboardInterrupt:
        error_console.print(Text.assemble(("Interrupted.", "bold yellow"), f" {what_is_kept}"))
        raise typer.Exit(INTERRUPTED) from None


def progress_bar(*columns: Any) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=error_console,
    )


def print_json(result: Any) -> None:
    """Print a result for another program; what is not finite is null, as JSON has no NaN."""
    print(visible(json.dumps(_finite(result), indent=2, ensure_ascii=False)))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def nested(option: str, pairs: list[str]) -> dict[str, str]:
    """`block=level` pairs as a dictionary."""
    values = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            raise ConfigurationError(
                f"{option} needs block=level, such as opamp=transistor, but is '{pair}'."
            )
        values[key] = value
    return values


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    kept = {
        key: without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }
    return {key: value for key, value in kept.items() if value != {}}


def matched(trace: Any, patterns: list[str] | None) -> list[str]:
    """Signals that fit, in the trace's order.

    Raises:
        ConfigurationError: none does.
    """
    wanted = {name for pattern in patterns or ["*"] for name in trace.match(pattern)}
    if not wanted:
        raise ConfigurationError(
            f"No signal of {trace.path} fits {patterns or 'any pattern'}. It has "
            f"{', '.join(trace.names[:10]) or 'none'}."
        )
    return [name for name in trace.names if name in wanted]
