"""Netlists: `cosim netlist` writes them, `cosim check` finds their faults."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cosim.cli.app import (
    FINDINGS,
    Debug,
    Fidelities,
    Json,
    ProcessName,
    Trust,
    app,
    console,
    error_console,
    nested,
    print_json,
)
from cosim.errors import ConfigurationError


@app.command()
def netlist(
    block: Annotated[
        str | None, typer.Argument(help="solver, or a block that has a bench.")
    ] = None,
    task: Annotated[str, typer.Argument(help="The task whose score network it holds.")] = "circle",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File (default: standard output).")
    ] = None,
    fidelity: Fidelities = None,
    process: ProcessName = "gf180mcu",
    graph: Annotated[
        Path | None, typer.Option(help="Draw hierarchy and connectivity to this .svg, too.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Write every netlist of netlists/ again.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Write a netlist that holds everything, ready for plain `ngspice -b`."""
    from cosim.diffusion.golden import PROJECT_NETLISTS
    from cosim.diffusion.netlists import (
        block_netlist,
        finest,
        generated,
        solver_netlist,
    )
    from cosim.files import write_text

    if everything:
        for name, text in generated().items():
            write_text(PROJECT_NETLISTS / name, text)
            console.print(f"netlist  {PROJECT_NETLISTS / name}", highlight=False, soft_wrap=True)
        return
    levels = nested("--fidelity", fidelity or [])
    if block == "solver":
        text = solver_netlist(task, levels, process=process)
    elif block is None:
        raise ConfigurationError(
            "Name a block, such as `cosim netlist solver` or `cosim netlist opamp`, or give --all."
        )
    else:
        text = block_netlist(
            block, levels.get(block) or levels.get("all") or finest(block), process=process
        )
    if graph is not None:
        from cosim.netlist.parse import parse
        from cosim.report.netlist_figure import draw_graph

        draw_graph(parse(text, PROJECT_NETLISTS / block), block, graph)
    if output is None:
        sys.stdout.write(text)
    else:
        write_text(output, text)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A netlist: our own, or any .cir or .sp.")],
    allow: Annotated[
        list[str] | None, typer.Option(help="Waive this rule, may be repeated.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Warnings end with exit 3, too.")
    ] = False,
    trust: Trust = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Check a netlist by electrical rules: floating nodes, loops, unknown names, slips of units.

    Errors end with exit code 3; warnings, for what is legal and almost surely a slip, do not. A
    comment `* cosim: allow RULE because REASON` in the netlist waives a rule.
    """
    from cosim.netlist.check import check_parsed, errors
    from cosim.netlist.parse import read_netlist
    from cosim.netlist.trust import trusting

    with trusting(trust or []):
        parsed = read_netlist(file)
        findings = check_parsed(parsed, allow or [])
    wrong = errors(findings)
    warnings = [finding for finding in findings if finding not in wrong]
    if as_json:
        listed = {
            "file": str(file),
            "errors": [asdict(finding) for finding in wrong],
            "warnings": [asdict(finding) for finding in warnings],
        }
        print_json(listed)
    else:
        for kind, group in (("error", wrong), ("warning", warnings)):
            for finding in group:
                console.print(f"{file}: {kind}: {finding}", highlight=False, soft_wrap=True)
        if not findings:
            graph = parsed.graph()
            console.print(
                f"{file}: nothing found ({graph.number_of_nodes()} nodes, "
                f"{sum(1 for _ in parsed.devices())} devices).",
                highlight=False, soft_wrap=True,
            )  # fmt: skip
        else:
            error_console.print(
                f"{file}: errors {len(wrong)}, warnings {len(warnings)}.", highlight=False
            )
    if wrong or (strict and warnings):
        raise typer.Exit(FINDINGS)
