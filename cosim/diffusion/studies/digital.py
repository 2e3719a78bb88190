"""What the same samples cost on a processor, each published row beside its own task, and where
analog computing breaks even.

The analog side is that of `speed_energy`, from its committed data.
"""

import csv
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch

from cosim.diffusion.netlists import block_netlist
from cosim.diffusion.run import Run
from cosim.diffusion.score.compiled_sampler import LANES, CompiledSampler
from cosim.diffusion.score.network import ScoreNetwork
from cosim.diffusion.score.tasks import get_task
from cosim.diffusion.studies.baselines import BASELINES, baselines, compiled_second
from cosim.diffusion.studies.study import Beside, Finding, Workspace
from cosim.engine.isolated import analysed

PICO = 1e-12
ANALOG = Path(__file__).resolve().parents[3] / "results" / "figures" / "speed_energy.csv"
SOLVE_SECOND, FAST_SECOND = 20e-6, 2e-6
WIDTHS = (14, 28, 56, 112, 224)
OWN_WIDTH = 14


@dataclass(frozen=True)
class Assumption:
    """A number that is not simulated, with its range."""

    value: float
    low: float
    high: float
    source: str


MULTIPLY = Assumption(3.7 * PICO, 1.1 * PICO, 3.7 * PICO,
                      "J, float32 (low: float16), 45 nm: Horowitz, ISSCC 2014")  # fmt: skip
ADD = Assumption(0.9 * PICO, 0.4 * PICO, 0.9 * PICO,
                 "J, float32 (low: float16), 45 nm: Horowitz, ISSCC 2014")  # fmt: skip
LOAD = Assumption(5 * PICO, 0.0, 650 * PICO,
                  "J for 32 bits from an 8 kB cache (low: weights stay in registers; high: DRAM), "
                  "45 nm: Horowitz, ISSCC 2014")  # fmt: skip
CORE_WATT = Assumption(10.0, 3.0, 30.0, "W of one busy CPU core; ours, not measured")


def operations(run: Run) -> dict[str, int]:
    """Of one evaluation of the network and one Euler step: multiplications, additions, loads."""
    widths = [
        run.problem.network.states,
        *(len(b) for _, b in run.problem.network.parts[0][1].weights_and_biases()),
    ]
    products = sum(a * b for a, b in itertools.pairwise(widths))
    states, hidden = run.problem.network.states, sum(widths[1:-1])
    return {
        "multiply": products + 4 * states,  # x and score by their rates, gain, step
        "add": products + sum(widths[1:]) + hidden + 3 * states,  # biases, embedding, update
        "load": products + sum(widths[1:]) + hidden,  # every weight, bias and embedding once
    }


def digital_energy(counts: dict[str, int], which: str) -> float:
    """J of one evaluation at the assumptions' `value`, `low` or `high`."""
    return sum(
        counts[name] * float(getattr(price, which))
        for name, price in (("multiply", MULTIPLY), ("add", ADD), ("load", LOAD))
    )


CONVERTERS = 21
HERE = (
    "time that one core of a shared AMD EPYC is busy, AVX2 (8 float32): a "
    "framework (torch, eager, float64) one by one; compiled (numba, float32) one by "
    "one, and in batches of 256 by BLAS"
)


def converter_watt() -> float:
    """W that a 12-bit converter of transistors takes at rest."""
    body = [
        line
        for line in block_netlist("dac", "transistor").splitlines()
        if line.startswith(".ends") or not line.startswith((".tran", ".save", ".end"))
    ]
    found = analysed("\n".join([*body, ".save i(vdd)", ".op", ".end", ""]))
    return -3.3 * float(found["vdd#branch"][0])


def analog_joule() -> dict[str, float]:
    """Joules of a 20 us solve by kind of block, as committed."""
    with ANALOG.open(encoding="utf8") as file:
        return {
            row["quantity"].removeprefix("energy, "): float(row["value"])
            for row in csv.DictReader(file)
            if row["quantity"].startswith("energy, ") and row["quantity"] != "energy, solver"
        }


def analog_watt(width: int, energy: dict[str, float]) -> tuple[float, float]:
    """W of a solver of two hidden layers so wide, from the blocks as measured at 14: columns and
    ReLUs count; low: a column costs the same whatever its rows; high: in proportion to them.
    """
    columns = (2 * width + 2) / (2 * OWN_WIDTH + 2)
    units, rows = width / OWN_WIDTH, width / OWN_WIDTH
    rest = sum(energy.values()) - energy["transimpedance"] - energy["relu"]
    shared = energy["relu"] * units + rest
    low = energy["transimpedance"] * columns + shared
    return low / SOLVE_SECOND, (energy["transimpedance"] * columns * rows + shared) / SOLVE_SECOND


def digital_baselines(workspace: Workspace) -> Finding:
    """Time and energy of a sample on a processor, three ways, and the break-even by width."""
    energy = analog_joule()
    total = sum(energy.values())
    cases = baselines(workspace)
    ring = cases[0]
    counts = operations(workspace.run("ring", {"task": "circle"}))
    arithmetic = {which: ring["evaluations"] * digital_energy(counts, which)
                  for which in ("value", "low", "high")}  # fmt: skip
    wide = _by_width(workspace, energy, ring["evaluations"] // 2)
    rows = _rows(total, cases, counts, arithmetic, wide)
    figure = _draw(total, cases, arithmetic, wide)
    even = {row["width"]: row["joule, compiled, one by one"] / row["watt, low"] for row in wide}
    caption = (
        f"A sample on a processor, measured here: {HERE}; least of many, bars: spread. Ring, ODE, "
        f"{ring['evaluations']} evaluations: {_times(ring)}. Analog: 20 us, {1e6 * total:.2f} uJ. "
        f"A core's power is assumed (10 W, 3 to 30); arithmetic and cache alone take "
        f"{1e9 * arithmetic['value']:.0f} nJ. Below: random networks of two hidden layers, by "
        "width; analog power from the cost of our blocks (bands: what a longer column costs), "
        "without area. Against the compiled sampler one by one a solve breaks even in energy "
        f"where it takes {1e6 * even[14]:.3g} us at a width of 14, {1e6 * even[224]:.3g} us at "
        "224. No GPU was measured"
    )
    return Finding(figure, rows, caption, _beside(cases, total, arithmetic))


def _by_width(workspace: Workspace, energy: dict[str, float], steps: int) -> list[dict[str, Any]]:
    """Seconds and joules of a sample by width, compiled; and the analog power."""
    rows = []
    for width in WIDTHS:
        torch.manual_seed(0)
        network = ScoreNetwork(frequencies=tuple(np.linspace(0.1, 1, width // 2)))
        sampler = CompiledSampler(network, get_task("circle").sampling_sde, steps)
        start = np.random.default_rng(0).standard_normal((4 * LANES, 2)).astype(np.float32)
        second = compiled_second(sampler, start, workspace.size(9, 3))
        low, high = analog_watt(width, energy)
        row: dict[str, Any] = {"width": width, "watt, low": low, "watt, high": high}
        for name, taken in second.items():
            row |= {f"second, {name}": taken.least,
                    f"joule, {name}": taken.least * CORE_WATT.value}  # fmt: skip
        rows.append(row)
    return rows


def _rows(
    total: float,
    cases: list[dict[str, Any]],
    counts: dict[str, int],
    arithmetic: dict[str, float],
    wide: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def note(what: str, value: float, unit: str, source: str,
             low: float | None = None, high: float | None = None) -> None:  # fmt: skip
        rows.append({"quantity": what, "value": value, "low": low, "high": high, "unit": unit,
                     "source or assumption": source})  # fmt: skip

    note("energy, solver", total, "J", "speed_energy.csv; converters not in it")
    converter = converter_watt()
    note("energy that converters would add", CONVERTERS * converter * SOLVE_SECOND, "J",
         f"{CONVERTERS} of {1e3 * converter:.2f} mW at rest, of transistors: 14 of the embedding, "
         "two rates, two of the SDE's noise, three of bias row and initial states")  # fmt: skip
    for name, number in counts.items():
        note(f"{name} operations of one evaluation", number, "", "counted; sines from a table")
    for name, price in (("multiply", MULTIPLY), ("add", ADD), ("load", LOAD),
                        ("CPU core", CORE_WATT)):  # fmt: skip
        note(f"price of {name}", price.value, "", price.source, price.low, price.high)
    note("digital energy, arithmetic and cache", arithmetic["value"], "J",
         "ring, ODE; no control, no idle", arithmetic["low"], arithmetic["high"])  # fmt: skip
    for case in cases:
        note(f"evaluations, {case['case']}", case["evaluations"], "",
             "to within 1.1 of the KL of 200 steps, mean of 20 seeds of 512 samples")  # fmt: skip
        note(f"KL, {case['case']}", case["kl_mean_nat"], "nat", "after them; spread: deviation",
             case["kl_mean_nat"] - case["kl_deviation_nat"],
             case["kl_mean_nat"] + case["kl_deviation_nat"])  # fmt: skip
        for name in BASELINES:
            least, most = case[f"{name}: least"], case[f"{name}: most"]
            note(f"time of a sample, {case['case']}, {name}", least, "s",
                 f"{HERE}; least of many, spread", least, most)  # fmt: skip
            note(f"energy of a sample, {case['case']}, {name}", least * CORE_WATT.value, "J",
                 "that time, one core", least * CORE_WATT.low, least * CORE_WATT.high)  # fmt: skip
    for row in wide:
        for name in BASELINES[1:]:
            note(f"time of a sample, width {row['width']}, {name}", row[f"second, {name}"], "s",
                 "random network, ring's ODE")  # fmt: skip
        note(f"power, analog, width {row['width']}", row["watt, low"], "W",
             "from the blocks at 14", row["watt, low"], row["watt, high"])  # fmt: skip
    return rows


def _times(case: dict[str, Any]) -> str:
    return ", ".join(f"{name} {1e6 * case[f'{name}: least']:.3g} us" for name in BASELINES)


def _draw(
    total: float,
    cases: list[dict[str, Any]],
    arithmetic: dict[str, float],
    wide: list[dict[str, Any]],
) -> Any:
    figure, axes = plt.subplots(2, 2, figsize=(13, 9), layout="constrained")
    place, height = np.arange(len(cases)), 0.25
    for number, name in enumerate(BASELINES):
        least = np.array([case[f"{name}: least"] for case in cases])
        most = np.array([case[f"{name}: most"] for case in cases])
        at = place + (number - 1) * height
        axes[0, 0].barh(at, 1e6 * least, height, xerr=[0 * least, 1e6 * (most - least)],
                        capsize=2, label=name)  # fmt: skip
        axes[0, 1].barh(
            at, 1e6 * least * CORE_WATT.value, height, capsize=2, label=name,
            xerr=[1e6 * least * (CORE_WATT.value - CORE_WATT.low),
                  1e6 * least * (CORE_WATT.high - CORE_WATT.value)],
        )  # fmt: skip
    axes[0, 0].axvline(1e6 * SOLVE_SECOND, color="black", label="analog")
    axes[0, 1].axvline(1e6 * total, color="black", label="analog")
    axes[0, 1].axvspan(1e6 * arithmetic["low"], 1e6 * arithmetic["high"], alpha=0.15, color="C3")
    axes[0, 1].axvline(
        1e6 * arithmetic["value"], color="C3", label="ring, ODE: arithmetic and cache (range)"
    )
    axes[0, 0].set(xscale="log", xlabel="time of a sample (us); bars: spread")
    axes[0, 1].set(xscale="log", xlabel="energy of a sample (uJ); bars: 3 to 30 W a core")
    for axis in axes[0]:
        axis.set_yticks(place, [f"{case['case']}\n{case['evaluations']} evaluations"
                                for case in cases])  # fmt: skip
        axis.invert_yaxis()
    widths = np.array([row["width"] for row in wide])
    watts = np.array([[row["watt, low"], row["watt, high"]] for row in wide])
    for name in BASELINES[1:]:
        axes[1, 0].loglog(widths, [1e6 * row[f"second, {name}"] for row in wide], "o-", label=name)
        joule = np.array([row[f"joule, {name}"] for row in wide])
        axes[1, 1].fill_between(
            widths, 1e6 * joule / watts[:, 1], 1e6 * joule / watts[:, 0], alpha=0.4, label=name
        )
    for second, style in ((SOLVE_SECOND, "-"), (FAST_SECOND, "--")):
        axes[1, 0].axhline(1e6 * second, color="black", ls=style)
        axes[1, 1].axhline(1e6 * second, color="black", ls=style,
                           label=f"a solve of {1e6 * second:g} us")  # fmt: skip
    axes[1, 0].set(xlabel="units of a hidden layer", ylabel="time of a sample (us)")
    axes[1, 1].set(xscale="log", yscale="log", xlabel="units of a hidden layer",
                   ylabel="solve of equal energy (us);\nbelow, analog takes less")  # fmt: skip
    for axis in axes.flat:
        axis.grid(alpha=0.3)
        axis.legend(fontsize="x-small")
    return figure


def _beside(
    cases: list[dict[str, Any]], total: float, arithmetic: dict[str, float]
) -> list[Beside]:
    by = {case["case"]: case for case in cases}

    def compared(which: str, unit: float, factor: float = 1.0) -> str:
        return f"{which}: " + ", ".join(
            f"{by[which][f'{name}: least'] * factor / unit:.3g}x ({name})" for name in BASELINES
        )

    def faster(which: str) -> str:
        return compared(which, SOLVE_SECOND)

    def saved(which: str) -> str:
        return compared(which, total, CORE_WATT.value)

    why = (
        "the published factors are of the size of a framework's, one sample at a time; the same "
        "sampler compiled is faster than 20 us or near it"
    )
    cost = f"a core's power is assumed, {CORE_WATT.value:g} W; the published processor is not said"
    return [
        Beside("speed-up, unconditional: arXiv v1 (2024), Nature Communications 2026",
               "64.8x; 69.0x", "; ".join(map(faster, ("ring, ODE", "ring, SDE"))), why),
        Beside("speed-up, conditional: arXiv v1, IEDM 2024, Nature Communications 2026",
               "156.5x; 150x (0.02 ms against 3.0 ms); 116.5x",
               "; ".join(map(faster, ("letters, ODE", "letters, SDE"))), why),
        Beside("energy, unconditional: arXiv v1, Nature Communications 2026",
               "5.2x less; -31.5 %", "; ".join(map(saved, ("ring, ODE", "ring, SDE"))), cost),
        Beside("energy, conditional: arXiv v1, IEDM 2024, Nature Communications 2026",
               "4.1x less; 7.2 uJ against 22.5 uJ; -52.0 %",
               "; ".join(map(saved, ("letters, ODE", "letters, SDE"))), cost),
        Beside("bare arithmetic, ring, ODE", "not given",
               f"{1e9 * arithmetic['value']:.0f} nJ, {arithmetic['value'] / total:.3f} of ours",
               "a chip that does nothing but these operations would take less"),
    ]  # fmt: skip
