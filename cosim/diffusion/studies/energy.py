"""Time and energy of one sample: the solver's from its supply currents, a digital one counted."""

import itertools
import time
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from cosim.diffusion.run import Run
from cosim.diffusion.score.compiled import CompiledScore
from cosim.diffusion.score.metrics import kl_histogram
from cosim.diffusion.studies.generation import (
    CIRCUIT,
    EQUATIONS,
    MACRO,
    NEAR,
    digital_evaluations,
    states_at,
)
from cosim.diffusion.studies.study import Beside, Finding, Workspace
from cosim.diffusion.studies.waveforms import WHOLE
from cosim.engine.isolated import analysed
from cosim.engine.session import saved
from cosim.netlist.metering import metered

SOLVE_SECOND = (20e-6, 10e-6, 5e-6, 2e-6, 1e-6)
STEPS_IN_A_SOLVE = 400
PICO, MICRO = 1e-12, 1e-6


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


def cpu_second(run: Run) -> dict[str, float]:
    """Measured here: seconds of one evaluation, compiled alone and by torch in a batch of 1000."""
    compiled = CompiledScore.of(run.problem.network)
    point = np.zeros(run.problem.network.states)
    compiled.value_and_tangents(point, 0.5)
    started, count = time.perf_counter(), 5000
    for _ in range(count):
        compiled.value_and_tangents(point, 0.5)
    alone = (time.perf_counter() - started) / count
    batch, now = torch.zeros(1000, run.problem.network.states).double(), torch.tensor(0.5).double()
    with torch.inference_mode():
        run.problem.network(batch, now)
        started, count = time.perf_counter(), 200
        for _ in range(count):
            run.problem.network(batch, now)
    return {"alone": alone, "batch": (time.perf_counter() - started) / count / len(batch)}


def energy_by_block(workspace: Workspace, tables: dict[str, Any]) -> tuple[Run, dict[str, float]]:
    """J that each kind of block takes from the supply in one solve, its precharge included."""
    run = workspace.run("speed_energy", tables)
    netlist, vectors = metered(str(run.plan.netlist), frozenset({"xscore_network"}))
    body = [line for line in netlist.splitlines() if not line.startswith(".save ")]
    currents = [f"i({vector.removesuffix('#branch')})" for vector in vectors.values()]
    body[-1:] = [saved([*currents, "i(vdd)"]), body[-1], ""]
    workspace.on_progress("speed_energy: supply currents of one solve")
    found = analysed("\n".join(body))
    volt, at = run.config.scaling.supply_volt, found["time"]
    taken = {
        kind: volt * float(np.trapezoid(found[vector], at)) for kind, vector in vectors.items()
    }
    whole = -volt * float(np.trapezoid(found["vdd#branch"], at))
    taken["others"] = whole - sum(taken.values())
    return run, taken


def speed_energy(workspace: Workspace) -> Finding:
    """Time and energy of one sample, analog and digital, with every assumption and its range."""
    run, energy = energy_by_block(workspace, WHOLE)
    ratios = _kl_over_software(workspace)
    fastest = min((second for second, ratio in ratios.items() if ratio <= NEAR), default=None)
    needed = _needed(workspace)
    counts, cpu = operations(run), cpu_second(run)
    evaluations = needed["ode"] or 0
    total = sum(energy.values())
    solve_second = run.config.scaling.stop_second
    watt = total / solve_second
    analog = {second: watt * (second + run.config.scaling.precharge_second) for second in ratios}
    digital = {which: evaluations * digital_energy(counts, which)
               for which in ("value", "low", "high")}  # fmt: skip
    figure = _draw(energy, ratios, analog, evaluations, digital, cpu)
    rows: list[dict[str, Any]] = []

    def note(what: str, value: float | None, unit: str, source: str,
             low: float | None = None, high: float | None = None) -> None:  # fmt: skip
        rows.append({"quantity": what, "value": value, "low": low, "high": high, "unit": unit,
                     "source or assumption": source})  # fmt: skip

    level = run.config.fidelity.opamp
    for kind, joule in sorted(energy.items(), key=lambda item: -item[1]):
        note(f"energy, {kind}", joule, "J", f"supply current, all blocks {level}, one 20 us solve")
    note("energy, solver", total, "J", "their sum; converters, arrays' drivers of ideal sources "
         "(embedding, bias row, initial conditions) not in it")  # fmt: skip
    note("power, solver", watt, "W", "over precharge and solve")
    for second, ratio in ratios.items():
        note(f"KL over software's, solve in {1e6 * second:g} us", ratio, "", "macro blocks, ODE")
    note("fastest solve within 1.1 of the software's KL", fastest, "s", "macro blocks, ODE")
    for equation in EQUATIONS:
        note(f"evaluations to the analog KL, {equation.upper()}", needed[equation], "",
             "digital sampler, see kl_vs_steps")  # fmt: skip
    for name, number in counts.items():
        note(f"{name} operations of one evaluation", number, "", "counted; sines from a table")
    for name, price in (("multiply", MULTIPLY), ("add", ADD), ("load", LOAD),
                        ("CPU core", CORE_WATT)):  # fmt: skip
        note(f"price of {name}", price.value, "", price.source, price.low, price.high)
    note("digital energy, arithmetic and cache", digital["value"], "J", "ODE; no control, no idle",
         digital["low"], digital["high"])  # fmt: skip
    for name, second in cpu.items():
        note(f"CPU time of a sample, {name}", evaluations * second, "s", "measured on this machine")
        note(f"CPU energy of a sample, {name}", evaluations * second * CORE_WATT.value, "J",
             "that time, one core", evaluations * second * CORE_WATT.low,
             evaluations * second * CORE_WATT.high)  # fmt: skip
    speed = evaluations * cpu["alone"] / solve_second
    caption = (
        f"One sample of the ring. Analog: {1e6 * total:.2f} uJ ({1e3 * watt:.0f} mW on chip) for a "
        f"solve of 20 us, all blocks {level}; the fastest solve within {NEAR} of the software's KL "
        f"takes {_micro(fastest)} (macro blocks). Digital: {evaluations} evaluations to the same "
        f"KL, {1e9 * digital['value']:.0f} nJ of arithmetic and cache alone, "
        f"{1e6 * evaluations * cpu['alone'] * CORE_WATT.value:.0f} uJ on a CPU core (assumed: "
        f"{CORE_WATT.value:g} W). Error bars: range of the assumptions"
    )
    return Finding(figure, rows, caption, _beside(speed, total, watt, digital, evaluations, cpu))


def _micro(second: float | None) -> str:
    return "longer than 20 us" if second is None else f"{1e6 * second:g} us"


def _kl_over_software(workspace: Workspace) -> dict[float, float]:
    """KL over the software's of macro solvers, by solve time."""
    count = workspace.size(60, 10)
    shown = SOLVE_SECOND if not workspace.quick else (SOLVE_SECOND[0], SOLVE_SECOND[-1])
    sweep = {
        f"solve_{1e6 * second:g}us": {
            "task": "circle", **MACRO, "ensemble": {"samples": count},
            "scaling": {"solve_second": second},
            "coupling": {"step_second": second / STEPS_IN_A_SOLVE},
        }
        for second in shown
    }  # fmt: skip
    found = workspace.final_states(sweep)
    run = workspace.run("any", next(iter(sweep.values())))
    true, limit = run.problem.true_samples(), run.problem.task.plot_limit
    software = kl_histogram(run.problem.software_samples(), true, limit)
    return {
        second: kl_histogram(states, true, limit) / software
        for second, states in zip(shown, found.values(), strict=True)
    }


def _needed(workspace: Workspace) -> dict[str, int | None]:
    """Evaluations of the digital samplers to the analog solver's KL."""
    needed = {}
    for equation in EQUATIONS:
        tables = CIRCUIT | {"task": "circle", "equation": equation,
                            "ensemble": {"samples": workspace.size(500, 60)}}  # fmt: skip
        run, trace = workspace.trace(f"circle_{equation}", tables)
        kl = kl_histogram(
            states_at(run, trace, 1.0), run.problem.true_samples(), run.problem.task.plot_limit
        )
        needed[equation] = digital_evaluations(workspace, run, kl)
    return needed


def _draw(
    energy: dict[str, float],
    ratios: dict[float, float],
    analog: dict[float, float],
    evaluations: int,
    digital: dict[str, float],
    cpu: dict[str, float],
) -> Any:
    figure, axes = plt.subplots(2, 2, figsize=(12, 8), layout="constrained")
    ordered = sorted(energy.items(), key=lambda item: item[1])
    axes[0, 0].barh([kind for kind, _ in ordered], [1e6 * joule for _, joule in ordered])
    axes[0, 0].set(xlabel="energy of a 20 us solve (uJ)", title="by kind of block")
    seconds = np.array(list(ratios))
    axes[0, 1].semilogx(1e6 * seconds, list(ratios.values()), "o-")
    axes[0, 1].axhline(NEAR, color="black", ls="--", label=f"{NEAR} of the software's")
    axes[0, 1].set(xlabel="solve time (us)", ylabel="KL / software's KL", title="macro blocks, ODE")
    axes[0, 1].legend(fontsize="small")
    slowest = max(ratios)
    names = [f"analog, {1e6 * slowest:g} us", "CPU core, one by one", "CPU core, batch of 1000"]
    times = [slowest, evaluations * cpu["alone"], evaluations * cpu["batch"]]
    axes[1, 0].barh(names, [1e6 * second for second in times], color="C1")
    axes[1, 0].set(xscale="log", xlabel="time of a sample (us)")
    axes[1, 0].xaxis.set_minor_formatter(NullFormatter())
    axes[0, 1].set_xticks([1e6 * second for second in ratios])
    axes[0, 1].xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes[0, 1].xaxis.set_minor_formatter(NullFormatter())
    values = [analog[slowest], digital["value"], *(t * CORE_WATT.value for t in times[1:])]
    lows = [analog[slowest], digital["low"], *(t * CORE_WATT.low for t in times[1:])]
    highs = [analog[slowest], digital["high"], *(t * CORE_WATT.high for t in times[1:])]
    micro = 1e6 * np.array([values, lows, highs])
    axes[1, 1].barh(
        [names[0], "arithmetic and cache", *names[1:]], micro[0], color="C2", capsize=3,
        xerr=[np.maximum(micro[0] - micro[1], 0), np.maximum(micro[2] - micro[0], 0)],
    )  # fmt: skip
    axes[1, 1].set(xscale="log", xlabel="energy of a sample (uJ); bars: range of assumptions")
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    return figure


def _beside(
    speed: float,
    total: float,
    watt: float,
    digital: dict[str, float],
    evaluations: int,
    cpu: dict[str, float],
) -> list[Beside]:
    core = evaluations * cpu["alone"] * CORE_WATT.value
    ours = (
        f"{speed:.1f}x in time against one CPU core one sample at a time, "
        f"{speed * cpu['batch'] / cpu['alone']:.2f}x against it in batches; energy "
        f"{core / total:.1f}x less than the core; bare arithmetic takes "
        f"{digital['value'] / total:.3f} of ours"
    )
    why = (
        "the paper's baseline (its processor, steps and power) is not known; ours is counted on "
        "the same task to the same KL, with no assumption fitted"
    )
    return [
        Beside("speed-up and energy, arXiv v1 (2024), unconditional / conditional",
               "64.8x / 156.5x; 5.2x / 4.1x less energy", ours, why),
        Beside("the same, IEDM 2024, conditional",
               "150x (0.02 ms against 3.0 ms); 7.2 uJ against 22.5 uJ", ours, why),
        Beside("the same, Nature Communications 2026",
               "69.0x / 116.5x; energy -31.5 % / -52.0 %", ours, why),
        Beside("system power", "7.2 uJ in 20 us: 0.36 W", f"{watt:.2f} W, {1e6 * total:.1f} uJ",
               "the paper's system is on boards, with discrete op-amps, multipliers and ten DACs, "
               "each of milliwatts; ours is one chip without converters"),
    ]  # fmt: skip
