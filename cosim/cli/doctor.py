"""`cosim doctor`: what is installed, and what is missing."""

import typer

from cosim.cli.app import Debug, Json, app, console, print_json


@app.command()
def doctor(as_json: Json = False, debug: Debug = False) -> None:
    """Show what is installed, what is missing, and how to get it."""
    from cosim.engine.doctor import examine, render

    report = examine()
    if as_json:
        found = [vars(one) | {"status": one.status.value} for one in report.findings]
        print_json({"usable": report.usable, "findings": found})
    else:
        render(report, console)
    raise typer.Exit(0 if report.usable else 1)
