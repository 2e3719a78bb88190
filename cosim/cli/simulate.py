"""`cosim simulate`: any netlist in ngspice."""

from pathlib import Path
from typing import Annotated

import typer

from cosim.cli.app import Debug, app, console, interruptible


@app.command()
def simulate(
    file: Annotated[Path, typer.Argument(help="A netlist with one analysis: any .cir or .sp.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write all vectors to this .csv.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Run a netlist in ngspice; an answer that cannot be trusted is an error that says why."""
    from cosim.characterise.sheet import vector_table
    from cosim.engine.isolated import each_isolated
    from cosim.files import write_text
    from cosim.simulation.analysis import as_csv, simulate_file

    with interruptible("Nothing was written."):
        (vectors,) = each_isolated(simulate_file, [file], jobs=1)
    console.print(vector_table(vectors))
    if output is not None:
        write_text(output, as_csv(vectors))
        console.print(f"vectors  {output}", highlight=False, soft_wrap=True, markup=False)
