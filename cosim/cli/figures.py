"""`cosim figures`: the figures of blocks and of the published system."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    TaskProgressColumn,
)

from cosim.cli.app import Debug, Json, app, console, interruptible, print_json, progress_bar


@app.command()
def figures(
    names: Annotated[
        list[str] | None, typer.Argument(help="Such as opamp_bode (default: all).")
    ] = None,
    jobs: Annotated[int, typer.Option(help="ngspice processes.", min=1)] = 1,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder (default results/figures).")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Make those again that are there.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="A tenth of the samples, macro blocks, one corner: minutes. Into "
            "results/runs/figures/quick/figures, as the committed ones are made in full.",
        ),
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Make the figures of the blocks and the paper's system, with data, and a page of them."""
    from cosim.diffusion.studies.figures import (
        PROJECT_FIGURES,
        QUICK_FIGURES,
        find_figures,
        gallery,
        make_figures,
    )
    from cosim.files import make_folder, write_text

    wanted = find_figures(names or [], quick)
    folder = output or (QUICK_FIGURES if quick else PROJECT_FIGURES)
    make_folder(folder)
    missing = [name for name in wanted if force or not (folder / f"{name}.png").is_file()]
    drawn: list[str] = []
    with (
        interruptible("Figures that were made are kept; the same command makes the others."),
        progress_bar(TaskProgressColumn()) as progress,
    ):
        bar = progress.add_task("figures", total=len(missing))
        made = make_figures(
            missing, folder, jobs, quick, lambda doing: progress.update(bar, description=doing)
        )
        for _, path in made:
            progress.update(bar, advance=1)
            drawn.append(str(path))
            if not as_json:
                console.print(f"figure   {path}", highlight=False, soft_wrap=True)
    page = (folder.parent if folder == PROJECT_FIGURES else folder) / "README.md"
    write_text(page, gallery(folder, page, quick))
    present = [str(folder / f"{name}.png") for name in wanted if name not in missing]
    if as_json:
        print_json({"made": drawn, "present": present})
    for there in () if as_json else present:
        console.print(f"is there {there}", highlight=False, soft_wrap=True)
