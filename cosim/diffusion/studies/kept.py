"""Final states that are committed, seed by seed, with what made them, in results/data: they are
never simulated twice, and can be added to.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cosim.diffusion.netlists import MODEL_FOLDER
from cosim.diffusion.run import Run
from cosim.diffusion.studies.study import Workspace, key_of
from cosim.errors import ConfigurationError
from cosim.files import replacing

PROJECT_DATA = Path(__file__).resolve().parents[3] / "results" / "data"


def kept_states(
    workspace: Workspace, name: str, runs: Sequence[Mapping[str, Any]], folder: Path
) -> list[np.ndarray]:
    """Final states of runs that differ in their seed [samples, states], kept in folder/NAME.

    Raises:
        ConfigurationError: what is there is of another circuit.
        EngineError: a sample failed twice; what was simulated before is kept.
    """
    first = _portable(workspace, name, runs[0])
    place, key = folder / name, key_of(first)
    place.mkdir(parents=True, exist_ok=True)
    about = place / "provenance.json"
    if not about.exists():
        with replacing(about) as partial:
            partial.write_text(json.dumps(_provenance(first, key), indent=2) + "\n", "utf8")
    else:
        check_key(place, json.loads(about.read_text("utf8"))["key"], key)
    sweep = {f"{name}_{seed}": tables for seed, tables in enumerate(runs)}
    paths = {f"{name}_{seed}": place / f"seed_{seed}.csv" for seed in range(len(runs))}
    return list(workspace.final_states(sweep, paths).values())


def kept_key(workspace: Workspace, name: str, tables: Mapping[str, Any]) -> str:
    """What the samples of a circuit and its model are known by, on every machine."""
    return key_of(_portable(workspace, name, tables))


def check_key(place: Path, found: str, key: str) -> None:
    """Refuse what is kept at a place of anything but what has this key.

    Raises:
        ConfigurationError: it is of another circuit or model.
    """
    if found != key:
        raise ConfigurationError(
            f"{place} is of another circuit or model than this one: its key is not {key}. Move it "
            "away to simulate anew (it is in git), or bring the circuit back that it is of."
        )


def _portable(workspace: Workspace, name: str, tables: Mapping[str, Any]) -> Run:
    """The run with a relative folder of the models, so that its netlist is everywhere the same."""
    return Run(workspace.run(name, tables).config, MODEL_FOLDER)


def _provenance(run: Run, key: str) -> dict[str, Any]:
    """What made the samples of the first seed; the others differ in the seed alone."""
    collected = run.provenance().model_dump(mode="json")
    netlist = collected.pop("netlist")
    return {
        "key": key, "columns": "sample, then its final states in units",
        "netlist_sha256": hashlib.sha256(netlist.encode()).hexdigest(), **collected,
    }  # fmt: skip
