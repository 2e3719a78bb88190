"""`cosim bench`: data sheets of blocks."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    TaskProgressColumn,
)

from cosim.cli.app import (
    WIDE,
    Debug,
    Json,
    ProcessName,
    app,
    console,
    interruptible,
    print_json,
    progress_bar,
)
from cosim.errors import ConfigurationError
from cosim.terminal import Terminal


@app.command()
def bench(
    block: Annotated[
        str,
        typer.Argument(
            help="opamp, folded_cascode, integrator, relu, relu_diode, multiplier, "
            "transimpedance, dac, voltage_reference, noise, cell, crossbar, decoder, of a plug-in, "
            "or a Python file (my.py) that defines a bench or an op-amp."
        ),
    ],
    process: ProcessName = "gf180mcu",
    corner: Annotated[
        list[str] | None, typer.Option(help="typical, ff, ss, fs, sf (default: all).")
    ] = None,
    temp: Annotated[
        list[float] | None, typer.Option(help="Celsius (default: -40, 27 and 125).")
    ] = None,
    supply: Annotated[float, typer.Option(help="Volt.", min=1.0, max=6.0)] = 3.3,
    fidelity: Annotated[
        str | None, typer.Option(help="ideal, macro or transistor (default: the finest).")
    ] = None,
    monte_carlo: Annotated[
        int | None,
        typer.Option(min=1, help="Draws of variation and mismatch, instead of corners."),
    ] = None,
    jobs: Annotated[int, typer.Option(help="ngspice processes.", min=1)] = 1,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder.")] = Path(
        "results/runs/bench"
    ),
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure a block in ngspice: its spec sheet beside the design's values."""
    import json

    from cosim.characterise.benches import find_bench
    from cosim.characterise.sheet import spec_table
    from cosim.characterise.sheets import (
        TEMPERATURES_CELSIUS,
        conditions,
        monte_carlo_conditions,
        sheets,
    )
    from cosim.circuits.fidelity import Fidelity
    from cosim.files import make_folder, write_text
    from cosim.plugins import absolute

    block, process = absolute(block), absolute(process)
    chosen, name = find_bench(block, fidelity), Path(block).stem
    level = Fidelity(fidelity) if fidelity else chosen.fidelities[-1]
    if monte_carlo is None:
        where = conditions(process, corner or [], temp or TEMPERATURES_CELSIUS, supply, level)
    elif corner:
        raise ConfigurationError("Give --corner or --monte-carlo: draws are around typical.")
    else:
        where = monte_carlo_conditions(process, monte_carlo, temp or [27.0], supply, level)
    make_folder(output)
    with interruptible("Nothing was written."), progress_bar(TaskProgressColumn()) as progress:
        measured = list(
            progress.track(sheets(block, where, jobs), len(where), description=f"{name}: measure")
        )
    rows = [vars(sheet.condition) | sheet.values for sheet in measured]
    write_text(output / f"{name}.json", json.dumps(rows, indent=2) + "\n")
    for figure, draw in chosen.figures.items():
        draw(measured, output / f"{figure}.png")
    if as_json:
        print_json(rows)
        return
    table = spec_table(name, measured, chosen.columns, chosen.design(supply))
    # As wide as it needs, also where the terminal is narrower: a broken row cannot be read.
    Terminal(width=max(console.width, WIDE)).print(table)
    console.print(f"sheet    {output / name}.json", highlight=False, soft_wrap=True)
    for figure in chosen.figures:
        console.print(f"figure   {output / figure}.png", highlight=False, soft_wrap=True)
