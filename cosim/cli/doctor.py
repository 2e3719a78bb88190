"""`cosim doctor`: what is installed, and what is missing."""

import typer

from cosim.cli.app import Debug, app, console


@app.command()
def doctor(debug: Debug = False) -> None:
    """Show what is installed, what is missing, and how to get it."""
    from cosim.engine.doctor import examine, render

    report = examine()
    render(report, console)
    raise typer.Exit(0 if report.usable else 1)
