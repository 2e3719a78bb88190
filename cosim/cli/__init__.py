"""The command `cosim`: one module for each group of commands.

Heavy imports wait inside the commands, so that `--help` is instant.
"""

import sys
import warnings

from rich.text import Text

from cosim.cli import (  # noqa: F401 - each adds its commands to the application
    characterise,
    compare,
    datasheet,
    doctor,
    figures,
    netlist,
    report,
    run,
    simulate,
    trace,
    training,
)
from cosim.cli.app import app, error_console
from cosim.errors import CosimError


def main() -> None:
    """Entry point: a user's error is one paragraph and an exit code, never a traceback."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]  # it takes them all
    try:
        app()
    except CosimError as error:
        if "--debug" in sys.argv:
            raise
        error_console.print(Text.assemble(("Error:", "bold red"), f" {error}"))
        sys.exit(error.exit_code)


def _show_warning(message: Warning | str, category: type[Warning], *_where: object) -> None:
    """A warning in a line, without the place in the program."""
    error_console.print(f"warning: {message}", highlight=False, style="yellow")
