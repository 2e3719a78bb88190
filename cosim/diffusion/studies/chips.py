"""Virtual chips, whose arrays and op-amps are off, before and after their biases are trimmed."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from cosim.diffusion.config import merge
from cosim.diffusion.run import Run
from cosim.diffusion.score.metrics import kl_histogram
from cosim.diffusion.studies.quality import EPSILON, true_ring
from cosim.diffusion.studies.study import TIMEOUT_SECOND, Beside, Finding, Workspace, key_of
from cosim.diffusion.trimming import INSTANTS, Trimmed, Trims, trim
from cosim.engine.ensemble import Retried, run_ensemble
from cosim.engine.worker import Failed, Points, WorkerPool
from cosim.errors import EngineError
from cosim.files import replacing

WRITE_ERRORS, OFFSETS_VOLT = (0.05, 0.20), (2e-3, 10e-3)
"""Least and most of the chips'."""

CHIPS = {"macro": 20, "transistor": 3}
"""By the integrators' op-amps."""

SAMPLES, SOLVES, TRIED, SOLVES_SEED = 100, 12, 8, 1000
"""Samples of each KL; solves of each circuit that a fit tries, from starts that no KL has; circuits
that it tries.
"""


def chip_tables(number: int, op_amp: str) -> dict[str, Any]:
    """A chip: both errors cover their ranges, in different orders."""
    share = number / (CHIPS["macro"] - 1)
    shuffled = (7 * number % CHIPS["macro"]) / (CHIPS["macro"] - 1)
    low, high = WRITE_ERRORS
    least, most = OFFSETS_VOLT
    return {
        "task": "circle", **EPSILON["ODE"], "fidelity": {"opamp": op_amp},
        "window": {"write_error": low + share * (high - low), "write_seed": number},
        "op_amp": {"offset_volt": least + shuffled * (most - least), "offset_seed": number},
        "ensemble": {"samples": SAMPLES},
    }  # fmt: skip


def solves(run: Run, pool: WorkerPool) -> np.ndarray:
    """States of all samples of a run at INSTANTS [samples, instants, states].

    Raises:
        EngineError: a sample failed twice.
    """
    parts: dict[int, list[Points]] = defaultdict(list)
    for message in run_ensemble(pool, run.plan.simulations()):
        if isinstance(message, Points):
            parts[message.member].append(message)
        elif isinstance(message, Retried):
            parts.pop(message.member, None)
        elif isinstance(message, Failed):
            raise EngineError(f"Solve {message.member} of '{run.config.name}': {message.error}")
    time_second = run.config.scaling.time_second(INSTANTS)
    paths = []
    for member in sorted(parts):
        points = Points.joined(parts[member])
        states = run.plan.units(points.values).T
        paths.append([np.interp(time_second, points.time_second, state) for state in states])
    return np.array(paths).transpose(0, 2, 1)


def fitted(workspace: Workspace, name: str, tables: Mapping[str, Any]) -> Trimmed:
    """The trims of a chip, by its own solves; kept, so that a fit is made once."""
    ensemble = {"samples": workspace.size(SOLVES, 4), "seed": SOLVES_SEED}
    first = workspace.run(name, merge(dict(tables), {"ensemble": ensemble}))
    kept = workspace.folder / f"{key_of(first)}_{ensemble['samples']}.json"
    if kept.exists():
        said = json.loads(kept.read_text("utf8"))
        return Trimmed(tuple(map(tuple, said["biases_unit"])), tuple(said["errors"]))
    with WorkerPool(workspace.jobs, TIMEOUT_SECOND) as pool:

        def paths(biases: Trims) -> np.ndarray:
            workspace.on_progress(f"{name}: fit")
            table = {"ensemble": ensemble, "calibration": {"biases_unit": biases}}
            return solves(workspace.run(name, merge(dict(tables), table)), pool)

        found = trim(first.problem, paths, workspace.size(TRIED, 3))
    kept.parent.mkdir(parents=True, exist_ok=True)
    with replacing(kept) as partial:
        partial.write_text(json.dumps(vars(found)), "utf8")
    return found


def chip_calibration(workspace: Workspace) -> Finding:
    """KL of each chip as it is and trimmed, and the fits' residuals."""
    true, count = true_ring(), workspace.size(SAMPLES, 60)
    rows: list[dict[str, Any]] = []
    fits: dict[tuple[str, int], Trimmed] = {}
    for op_amp, chips in CHIPS.items():
        last = CHIPS["macro"] - 1
        numbers = np.linspace(0, last, workspace.size(chips, 2)).round().astype(int).tolist()
        for number in numbers:
            name = f"chip_{op_amp}_{number}"
            tables = merge(chip_tables(number, op_amp), {"ensemble": {"samples": count}})
            fit = fits[op_amp, number] = fitted(workspace, name, tables)
            trimmed = merge(tables, {"calibration": {"biases_unit": fit.biases_unit}})
            states = workspace.final_states({f"{name}_before": tables, f"{name}_after": trimmed})
            before, after = (kl_histogram(each, true, 1.5) for each in states.values())
            rows.append({
                "op_amps": op_amp, "chip": number, "samples": count,
                "write_error": tables["window"]["write_error"],
                "offset_volt": tables["op_amp"]["offset_volt"],
                "kl_before_nat": before, "kl_after_nat": after,
                "residual_before_unit": fit.errors[0], "residual_after_unit": min(fit.errors),
                "largest_trim_unit": max(abs(one) for layer in fit.biases_unit for one in layer),
            })  # fmt: skip
    ideal = workspace.run("ideal", {
        "task": "circle", **EPSILON["ODE"], "ensemble": {"samples": count},
    }).problem.software_samples()  # fmt: skip
    lines = {
        "software, no errors": kl_histogram(ideal, true, 1.5),
        "floor": float(np.mean([kl_histogram(true_ring(count, s), true, 1.5) for s in range(20)])),
    }
    return Finding(_draw(rows, fits, lines), rows, _caption(rows, lines), _beside(rows))


def _medians(rows: Sequence[Mapping[str, Any]], op_amp: str) -> tuple[float, float]:
    own = [row for row in rows if row["op_amps"] == op_amp]
    return tuple(float(np.median([row[f"kl_{when}_nat"] for row in own]))
                 for when in ("before", "after"))  # type: ignore[return-value]  # fmt: skip


def _caption(rows: Sequence[Mapping[str, Any]], lines: Mapping[str, float]) -> str:
    told = []
    for op_amp in CHIPS:
        own = [row for row in rows if row["op_amps"] == op_amp]
        before, after = _medians(rows, op_amp)
        better = sum(row["kl_after_nat"] < row["kl_before_nat"] for row in own)
        worst = max(row["kl_after_nat"] for row in own)
        told.append(
            f"{len(own)} chips with {op_amp} op-amps: median KL {before:.2f} to {after:.2f} nats, "
            f"worst after {worst:.2f}, better in {better}"
        )
    low, high = WRITE_ERRORS
    least, most = OFFSETS_VOLT
    return (
        "Ring, ODE, the network that predicts the noise. Virtual chips whose cells are off by "
        f"{100 * low:g} to {100 * high:g} % (deviation, written once) and whose integrators' "
        f"op-amps have offsets of {1e3 * least:g} to {1e3 * most:g} mV (deviation); score in "
        "lockstep with the cells as written. 30 biases come from converters (12 bits) and are "
        f"fitted: forward passes are {SOLVES} solves of the chip's circuit, gradients the float64 "
        f"twin's. KL of {rows[0]['samples']} samples from other starts than the fit's. "
        f"{'; '.join(told)}. Software without errors {lines['software, no errors']:.2f}, floor "
        f"{lines['floor']:.2f}"
    )


def _beside(rows: Sequence[Mapping[str, Any]]) -> list[Beside]:
    before, after = _medians(rows, "macro")
    return [
        Beside(
            "a chip with write errors and offsets", "claimed robust",
            f"median KL of {sum(row['op_amps'] == 'macro' for row in rows)} chips {before:.2f} "
            f"nats, with trimmed biases {after:.2f}",
            "what converters add to the columns undoes most of what the cells' errors and the "
            "offsets do; with the largest of both it leaves some",
        ),
    ]  # fmt: skip


def _draw(
    rows: Sequence[Mapping[str, Any]],
    fits: Mapping[tuple[str, int], Trimmed],
    lines: Mapping[str, float],
) -> Any:
    figure, (kl, residual) = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
    for op_amp, marker in (("macro", "o"), ("transistor", "s")):
        own = [row for row in rows if row["op_amps"] == op_amp]
        x = np.array([100 * row["write_error"] for row in own]) + (op_amp == "transistor") * 0.2
        before, after = (
            np.array([row[f"kl_{when}_nat"] for row in own]) for when in ("before", "after")
        )
        kl.vlines(x, after, before, color="0.8")
        kl.plot(x, before, f"C3{marker}", label=f"as written, {op_amp} op-amps")
        kl.plot(x, after, f"C0{marker}", label=f"trimmed, {op_amp} op-amps")
    for (name, value), style in zip(lines.items(), ("--", "-"), strict=True):
        kl.axhline(value, color="black", ls=style, lw=0.9, label=name)
    kl.set(xlabel="write error of the cells (%); offsets of 2 to 10 mV differ from chip to chip",
           ylabel=f"KL of {rows[0]['samples']} samples (nats)", yscale="log")  # fmt: skip
    kl.legend(fontsize="small")
    for (op_amp, _), fit in fits.items():
        least = np.minimum.accumulate(fit.errors)
        residual.semilogy(least, color="C0" if op_amp == "macro" else "C1", lw=0.9)
    residual.set(xlabel="circuits tried", ylabel="least residual of dx/dtau so far (units, rms)")
    for axis in (kl, residual):
        axis.grid(alpha=0.3)
    return figure
