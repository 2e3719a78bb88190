"""`cosim simulate`: any netlist in ngspice."""

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.app import Debug, app, console, error_console, interruptible

if TYPE_CHECKING:
    from cosim.simulation.analysis import Answer


@app.command()
def simulate(
    file: Annotated[Path, typer.Argument(help="A netlist with one analysis: any .cir or .sp.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o",
            help="Write the answer, by the ending: .csv; of a .tran also .h5 (a trace), .raw, "
            ".vcd, .parquet, .pwl.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Run a netlist in ngspice; an answer that cannot be trusted is an error that says why."""
    from cosim.engine.audit import read_asked
    from cosim.engine.isolated import isolated
    from cosim.netlist.reading import read_text
    from cosim.simulation.analysis import simulate_file

    if output is not None:
        from cosim.simulation.output import check_output, write_answer

        check_output(output, read_asked(read_text(file)).kind)
    with interruptible("Nothing was written."):
        answer = isolated(simulate_file, file)
    for warning in answer.warnings:
        error_console.print(f"warning: {warning}", highlight=False, markup=False, style="yellow")
    if json:
        console.print(json_text.dumps(_summary(answer), indent=2), highlight=False, soft_wrap=True)
    else:
        _show(answer)
    if output is not None:
        write_answer(answer, output)
        if not json:
            console.print(f"answer   {output}", highlight=False, soft_wrap=True, markup=False)


def _show(answer: "Answer") -> None:
    from cosim.characterise.sheet import vector_table

    console.print(vector_table(answer.vectors))
    for name, value in answer.measures.items():
        console.print(f"measure  {name} = {value:.6g}", highlight=False, soft_wrap=True)


def _summary(answer: "Answer") -> dict[str, object]:
    import numpy as np

    vectors = {
        name: {
            "points": len(values),
            "smallest": float(np.abs(values).min() if np.iscomplexobj(values) else values.min()),
            "largest": float(np.abs(values).max() if np.iscomplexobj(values) else values.max()),
        }
        for name, values in answer.vectors.items()
        if len(values)
    }
    return {
        "analysis": " ".join(answer.analysis),
        "vectors": vectors,
        "measures": answer.measures,
        "warnings": list(answer.warnings),
    }
