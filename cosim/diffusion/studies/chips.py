"""Virtual chips, whose arrays and op-amps are off, before and after their biases are trimmed.

Everything is in the netlist, the cells as they were written and every op-amp with an offset of its
own. ReLUs are macro blocks on chips of transistors too: of 28 of transistors that are off, Newton's
method mostly finds no operating point. Trims and final states are committed (`studies.kept`), so
that a chip is simulated once.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from cosim.diffusion.config import merge
from cosim.diffusion.plan import GROUND, STATE
from cosim.diffusion.run import Run
from cosim.diffusion.studies.kept import PROJECT_DATA, check_key, kept_key, kept_states
from cosim.diffusion.studies.quality import EPSILON, ring_kl, true_ring
from cosim.diffusion.studies.study import TIMEOUT_SECOND, Beside, Finding, Workspace
from cosim.diffusion.trimming import INSTANTS, Observed, Trimmed, Trims, trim
from cosim.engine.ensemble import Retried, run_ensemble
from cosim.engine.worker import Failed, Points, WorkerPool
from cosim.errors import EngineError
from cosim.files import replacing
from cosim.simulation.start import Starts

WRITE_ERRORS, OFFSETS_VOLT = (0.05, 0.20), (2e-3, 10e-3)
"""Least and most of the chips'."""

CHIPS = {"macro": 20, "transistor": 3}
"""By the level of the blocks."""

FIDELITIES = {"macro": {"all": "macro"}, "transistor": {"all": "transistor", "relu": "macro"}}

SAMPLES, SOLVES, TRIED, SOLVES_SEED = 30, 5, 6, 1000
"""Samples of each KL; solves of each circuit that a fit tries, from starts that no KL has; circuits
that it tries. A solve takes 0.4 s of macro blocks and 1.7 s of transistors.
"""


def chip_tables(number: int, level: str) -> dict[str, Any]:
    """A chip: both errors cover their ranges, in different orders."""
    share = number / (CHIPS["macro"] - 1)
    shuffled = (7 * number % CHIPS["macro"]) / (CHIPS["macro"] - 1)
    low, high = WRITE_ERRORS
    least, most = OFFSETS_VOLT
    return {
        "task": "circle", **EPSILON["ODE"], "score": "analog", "fidelity": FIDELITIES[level],
        "window": {"write_error": low + share * (high - low), "write_seed": number},
        "op_amp": {"offset_volt": least + shuffled * (most - least), "offset_seed": number},
        "ensemble": {"samples": SAMPLES},
    }  # fmt: skip


def solves(run: Run, pool: WorkerPool, starts: Starts | None = None) -> Observed:
    """States and column sums of all samples of a run, whose score is in the netlist, at INSTANTS.

    Raises:
        EngineError: a sample failed twice.
    """
    parts: dict[int, list[Points]] = defaultdict(list)
    for message in run_ensemble(pool, run.plan.simulations(starts)):
        if isinstance(message, Points):
            parts[message.member].append(message)
        elif isinstance(message, Retried):
            parts.pop(message.member, None)
        elif isinstance(message, Failed):
            raise EngineError(f"Solve {message.member} of '{run.config.name}': {message.error}")
    time_second = run.config.scaling.time_second(INSTANTS)
    joined = [Points.joined(parts[member]) for member in sorted(parts)]
    names = [signal.name for signal in run.plan.netlist.signals]

    def at_instants(pattern: str, count: int) -> np.ndarray:
        ground = names.index(GROUND)
        columns = [names.index(pattern.format(k)) for k in range(count)]
        return np.array([
            [np.interp(time_second, one.time_second, one.values[:, k] - one.values[:, ground])
             for k in columns]
            for one in joined
        ]).transpose(0, 2, 1) / run.config.scaling.volt_per_unit  # fmt: skip

    hidden = [layer.outputs for layer in run.plan.design.programmed[0].layers[:-1]]
    sums = [at_instants(f"hidden_{layer}.{{}}", count) for layer, count in enumerate(hidden)]
    states = run.problem.network.states
    return Observed(at_instants(STATE, states), (*sums, at_instants("score.{}", states)))


def fitted(workspace: Workspace, name: str, tables: Mapping[str, Any], folder: Path) -> Trimmed:
    """The trims of a chip, by its own solves; kept in folder/NAME.json, so that a fit is made once.

    Raises:
        ConfigurationError: what is there is of another chip.
        EngineError: a solve failed twice.
    """
    ensemble = {"samples": workspace.size(SOLVES, 3), "seed": SOLVES_SEED}
    own = merge(dict(tables), {"ensemble": ensemble})
    kept, key = folder / f"{name}.json", kept_key(workspace, name, own)
    if kept.exists():
        said = json.loads(kept.read_text("utf8"))
        check_key(kept, said["key"], key)
        return Trimmed(tuple(map(tuple, said["biases_unit"])), tuple(said["errors"]))
    # From the operating point without errors Newton's method comes to those with them.
    exact = {"window": {"write_error": 0.0}, "op_amp": {"offset_volt": 0.0}}
    next(workspace.run(name, merge(own, exact)).plan.simulations(workspace.starts))
    with WorkerPool(workspace.jobs, TIMEOUT_SECOND) as pool:

        def solve(biases: Trims) -> Observed:
            workspace.on_progress(f"{name}: fit")
            trimmed = merge(own, {"calibration": {"biases_unit": biases}})
            return solves(workspace.run(name, trimmed), pool, workspace.starts)

        found = trim(workspace.run(name, own).problem, solve, workspace.size(TRIED, 3))
    kept.parent.mkdir(parents=True, exist_ok=True)
    with replacing(kept) as partial:
        partial.write_text(json.dumps({"key": key, **vars(found)}) + "\n", "utf8")
    return found


def chip_calibration(workspace: Workspace) -> Finding:
    """KL of each chip as it is and trimmed, and the fits' residuals."""
    count = workspace.size(SAMPLES, 10)
    folder = (workspace.folder / "data" if workspace.quick else PROJECT_DATA) / "chips"
    ideal = {"task": "circle", **EPSILON["ODE"], "ensemble": {"samples": count}}
    software = workspace.run("ideal", ideal).problem.software_samples()
    rows: list[dict[str, Any]] = []
    fits: dict[tuple[str, int], Trimmed] = {}
    for level, chips in CHIPS.items():
        if workspace.quick and level == "transistor":
            continue
        last = CHIPS["macro"] - 1
        for number in np.linspace(0, last, workspace.size(chips, 2)).round().astype(int).tolist():
            name = f"{level}_{number}"
            tables = merge(chip_tables(number, level), {"ensemble": {"samples": count}})
            fit = fits[level, number] = fitted(workspace, name, tables, folder)
            rows.append(_row(workspace, name, tables, fit, folder, software))
    lines = {
        "software, no errors": ring_kl(software),
        "floor": float(np.mean([ring_kl(true_ring(count, seed)) for seed in range(20)])),
    }
    return Finding(_draw(rows, fits, lines), rows, _caption(rows, lines), _beside(rows))


def _row(
    workspace: Workspace,
    name: str,
    tables: Mapping[str, Any],
    fit: Trimmed,
    folder: Path,
    software: np.ndarray,
) -> dict[str, Any]:
    """A chip's KL and distance from the software's samples, before and after."""
    level, number = name.split("_")
    row: dict[str, Any] = {
        "blocks": level, "chip": int(number), "samples": len(software),
        "write_error": tables["window"]["write_error"],
        "offset_volt": tables["op_amp"]["offset_volt"],
    }  # fmt: skip
    for when, biases in (("before", ()), ("after", fit.biases_unit)):
        trimmed = merge(dict(tables), {"calibration": {"biases_unit": biases}})
        (states,) = kept_states(workspace, f"{name}_{when}", [trimmed], folder)
        apart = np.linalg.norm(states - software, axis=1)
        row |= {f"kl_{when}_nat": ring_kl(states),
                f"median_from_software_{when}_unit": float(np.median(apart))}  # fmt: skip
    return row | {
        "residual_before_unit": fit.errors[0], "residual_after_unit": min(fit.errors),
        "largest_trim_unit": max(abs(one) for layer in fit.biases_unit for one in layer),
    }  # fmt: skip


def _of_level(rows: Sequence[Mapping[str, Any]], level: str, quantity: str) -> np.ndarray:
    """A quantity, such as `kl_{}_nat`, of all chips of a level before and after [2, chips]."""
    own = [row for row in rows if row["blocks"] == level]
    return np.array([[row[quantity.format(when)] for row in own] for when in ("before", "after")])


def _caption(rows: Sequence[Mapping[str, Any]], lines: Mapping[str, float]) -> str:
    told = []
    for level in CHIPS:
        before, after = _of_level(rows, level, "kl_{}_nat")
        if not len(before):
            continue
        apart = np.median(_of_level(rows, level, "median_from_software_{}_unit"), axis=1)
        told.append(
            f"{len(before)} chips of {level} blocks: median KL {np.median(before):.2f} to "
            f"{np.median(after):.2f} nats, worst after {after.max():.2f}, better in "
            f"{(after < before).sum()}; samples {apart[0]:.2f} to {apart[1]:.2f} units from the "
            "software's (median)"
        )
    low, high = (100 * error for error in WRITE_ERRORS)
    least, most = (1e3 * volt for volt in OFFSETS_VOLT)
    return (
        "Ring, ODE, the network that predicts the noise, all of it in the netlist. Virtual chips "
        f"whose cells are off by {low:g} to {high:g} % (deviation, written once) and whose op-amps "
        "(integrators, columns, row drivers, ReLUs) have offsets of "
        f"{least:g} to {most:g} mV (deviation). 30 biases come from converters (12 bits) and are "
        f"fitted: forward passes are {SOLVES} solves of the chip's circuit for "
        f"each of {TRIED} trims; columns are zeroed first, then the drift is fitted with the "
        "float64 twin's gradients. On chips of transistors ReLUs are macro blocks. "
        f"KL of {rows[0]['samples']} samples from other starts than the fit's. "
        f"{'. '.join(told)}. Software without errors {lines['software, no errors']:.2f}, floor "
        f"{lines['floor']:.2f} nats"
    )


def _beside(rows: Sequence[Mapping[str, Any]]) -> list[Beside]:
    kl = _of_level(rows, "macro", "kl_{}_nat")
    before, after = np.median(kl, axis=1)
    return [
        Beside(
            "a chip with write errors and offsets", "claimed robust",
            f"median KL of {kl.shape[1]} chips {before:.2f} nats, with trimmed biases {after:.2f}",
            "what converters add to the columns undoes most of what the cells' errors and the "
            "offsets do; with the largest of both it leaves some",
        ),
    ]  # fmt: skip


def _draw(
    rows: Sequence[Mapping[str, Any]],
    fits: Mapping[tuple[str, int], Trimmed],
    lines: Mapping[str, float],
) -> Any:
    figure, (kl, residual) = plt.subplots(1, 2, figsize=(13, 5.5), layout="constrained")
    for level, marker in (("macro", "o"), ("transistor", "s")):
        before, after = _of_level(rows, level, "kl_{}_nat")
        x = np.array([100 * row["write_error"] for row in rows if row["blocks"] == level])
        x += 0.2 * (level == "transistor")
        kl.vlines(x, after, before, color="0.8")
        kl.plot(x, before, f"C3{marker}", label=f"as written, {level} blocks")
        kl.plot(x, after, f"C0{marker}", label=f"trimmed, {level} blocks")
    for (name, value), style in zip(lines.items(), ("--", "-"), strict=True):
        kl.axhline(value, color="black", ls=style, lw=0.9, label=name)
    kl.set(xlabel="write error of the cells (%); offsets of 2 to 10 mV differ from chip to chip",
           ylabel=f"KL of {rows[0]['samples']} samples (nats)", yscale="log")  # fmt: skip
    kl.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3)
    colours = {"macro": "C0", "transistor": "C1"}
    for (level, _), fit in fits.items():
        residual.semilogy(np.minimum.accumulate(fit.errors), color=colours[level], lw=0.9)
    for level, colour in colours.items():
        residual.plot([], [], color=colour, label=f"chips of {level} blocks")
    residual.legend(fontsize="small")
    residual.set(xlabel="circuits tried", ylabel="least residual of dx/dtau so far (units, rms)")
    for axis in (kl, residual):
        axis.grid(alpha=0.3)
    return figure
