"""The netlists of `netlists/`: generated, committed for review, each run by plain `ngspice -b`."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from cosim.characterise.benches import BENCHES, find_bench
from cosim.characterise.sheet import Condition
from cosim.characterise.sheets import bench_netlists
from cosim.circuits.fidelity import Fidelity
from cosim.diffusion.accuracy import Preset
from cosim.diffusion.config import AccuracyConfig, parse
from cosim.diffusion.run import Run

MODEL_FOLDER = Path("../.ngspice/gf180mcu")
"""Relative to `netlists/`, so that the committed text is the same on every machine."""


def solver_netlist(
    task: str,
    fidelity: Mapping[str, str] = MappingProxyType({}),
    model_folder: Path | None = None,
    process: str = "gf180mcu",
) -> str:
    """The whole solver, with the score network in the netlist.

    Args:
        fidelity: of each kind of block, as in a run file.

    Raises:
        ConfigurationError: unknown task, block or fidelity.
    """
    values = {
        "name": "netlist", "task": task, "score": "analog", "fidelity": dict(fidelity),
        "process": {"name": process},
    }  # fmt: skip
    config = parse(values, "The command line")
    if config.rises:  # what stands for itself is solved exactly
        config = config.model_copy(update={"accuracy": AccuracyConfig(preset=Preset.REFERENCE)})
    return str(Run(config, model_folder).plan.netlist)


def block_netlist(
    block: str, fidelity: str, model_folder: Path | None = None, process: str = "gf180mcu"
) -> str:
    """A block with its test bench.

    Raises:
        ConfigurationError: there is no such bench, or not at that fidelity.
    """
    find_bench(block, fidelity)
    return _bench_netlists(block, fidelity, model_folder, process)[block]


def _bench_netlists(
    block: str,
    fidelity: str,
    model_folder: Path | None = None,
    process: str = "gf180mcu",
) -> dict[str, str]:
    condition = Condition("typical", 27.0, 3.3, Fidelity(fidelity), process=process)
    return bench_netlists(block, condition, model_folder)


def finest(block: str) -> str:
    """The finest fidelity at which there is a bench of a block."""
    return find_bench(block).fidelities[-1]


def generated() -> dict[str, str]:
    """Every file of `netlists/` and its text."""
    blocks = {
        f"{name}.cir": text
        for block in BENCHES
        for name, text in _bench_netlists(block, finest(block), MODEL_FOLDER).items()
    }
    return blocks | {
        "solver_circle.cir": solver_netlist("circle", model_folder=MODEL_FOLDER),
        "solver_circle_transistor.cir": solver_netlist(
            "circle", {"all": "transistor"}, MODEL_FOLDER
        ),
        "solver_circle_converters.cir": solver_netlist("circle", {"dac": "macro"}, MODEL_FOLDER),
    }
