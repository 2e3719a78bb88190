"""`cosim simulate`: any netlist in ngspice."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosim.cli.app import Debug, Json, Trust, app, console, error_console, interruptible

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
    confirm: Annotated[
        bool | None,
        typer.Option(
            "--confirm/--no-confirm",
            help="Repeat with shorter steps, tighter tolerances and a kicked operating point "
            "(default: where that is cheap, or the netlist has expressions in time or tanks).",
        ),
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option(help="Waive this electrical rule, may be repeated.")
    ] = None,
    trust: Trust = None,
    as_json: Json = False,
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
    trusted = [folder.resolve() for folder in trust or []]
    run = partial(simulate_file, confirmed=confirm, allow=allow or [], trusted=trusted)
    with interruptible("Nothing was written."):
        answer = isolated(run, file.resolve(), closed=True)
    for warning in answer.warnings:
        error_console.print(f"warning: {warning}", highlight=False, style="yellow")
    if as_json:
        console.print(json.dumps(_summary(answer), indent=2), highlight=False, soft_wrap=True)
    else:
        _show(answer)
    if output is not None:
        write_answer(answer, output)
        if not as_json:
            console.print(f"answer   {output}", highlight=False, soft_wrap=True)


def _show(answer: "Answer") -> None:
    from cosim.characterise.sheet import vector_table

    console.print(vector_table(answer.vectors))
    for name, value in answer.measures.items():
        console.print(f"measure  {name} = {value:.6g}", highlight=False, soft_wrap=True)
    found = answer.confirmation
    said = f"{found.how} (cost: {found.cost:.2g} runs)" if found.how else "no (--confirm does)"
    console.print(f"confirmed  {said}", highlight=False, soft_wrap=True)


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
        "confirmed": answer.confirmation.how,
        "confirmation_cost_runs": answer.confirmation.cost,
    }
