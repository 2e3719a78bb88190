"""`cosim doctor`: what is installed, and what is missing."""

import typer

from cosim.cli.app import Debug, Json, app, console, print_json


@app.command()
def doctor(as_json: Json = False, debug: Debug = False) -> None:
    """Show what is installed, plug-ins included, what is missing, and how to get it."""
    from cosim.characterise.benches import REGISTRY as BENCHES
    from cosim.circuits.opamp import TOPOLOGIES
    from cosim.diffusion.score.tasks import REGISTRY as TASKS
    from cosim.engine.doctor import Finding, Report, Status, examine, render
    from cosim.lockstep.scheme import SCHEMES
    from cosim.process.process import PROCESSES

    registries = (PROCESSES, TOPOLOGIES, BENCHES, TASKS, SCHEMES)
    plugins = [plugin for registry in registries for plugin in registry.installed()]
    found = [
        Finding(
            f"{plugin.kind} {plugin.name}",
            Status.LIMITED if plugin.fault else Status.OK,
            f"plug-in of {plugin.origin}: {plugin.file or plugin.value}",
            plugin.fault,
        )
        for plugin in plugins
    ] or [Finding("plug-ins", Status.OK, "none are installed")]
    report = Report((*examine().findings, *found))
    if as_json:
        listed = [vars(one) | {"status": one.status.value} for one in report.findings]
        plugged = [vars(one) | {"loads": not one.fault} for one in plugins]
        print_json({"usable": report.usable, "findings": listed, "plugins": plugged})
    else:
        render(report, console)
    raise typer.Exit(0 if report.usable else 1)
