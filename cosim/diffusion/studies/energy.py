"""Time and energy of one sample: the solver's from its supply currents, a digital one counted."""

import itertools
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from cosim.characterise.sheets import conditions, sheets
from cosim.circuits.fidelity import Fidelity
from cosim.diffusion.run import Run
from cosim.diffusion.score.metrics import kl_histogram
from cosim.diffusion.studies.baselines import BASELINES, NEAR, baselines
from cosim.diffusion.studies.generation import MACRO
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
    cases = baselines(workspace)
    counts = operations(run)
    total = sum(energy.values())
    solve_second = run.config.scaling.stop_second
    watt = total / solve_second
    ring = cases[0]
    digital = {which: ring["evaluations"] * digital_energy(counts, which)
               for which in ("value", "low", "high")}  # fmt: skip
    rows: list[dict[str, Any]] = []

    def note(what: str, value: float | None, unit: str, source: str,
             low: float | None = None, high: float | None = None) -> None:  # fmt: skip
        rows.append({"quantity": what, "value": value, "low": low, "high": high, "unit": unit,
                     "source or assumption": source})  # fmt: skip

    level = run.config.fidelity.opamp
    for kind, joule in sorted(energy.items(), key=lambda item: -item[1]):
        note(f"energy, {kind}", joule, "J", f"supply current, all blocks {level}, one 20 us solve")
    note("energy, solver", total, "J", "their sum")
    note("power, solver", watt, "W", "over precharge and solve")
    converter = converter_watt()
    note("energy that converters would add", CONVERTERS * converter * solve_second, "J",
         f"{CONVERTERS} of {1e3 * converter:.2f} mW, by the transistor bench: 14 of the embedding, "
         "two rates, two of the SDE's noise, three of bias row and initial states")  # fmt: skip
    for second, ratio in ratios.items():
        note(f"KL over software's, solve in {1e6 * second:g} us", ratio, "", "macro blocks, ODE")
    note("fastest solve within 1.1 of the software's KL", fastest, "s", "macro blocks, ODE")
    for name, number in counts.items():
        note(f"{name} operations of one evaluation", number, "", "counted; sines from a table")
    for name, price in (("multiply", MULTIPLY), ("add", ADD), ("load", LOAD),
                        ("CPU core", CORE_WATT)):  # fmt: skip
        note(f"price of {name}", price.value, "", price.source, price.low, price.high)
    note("digital energy, arithmetic and cache", digital["value"], "J",
         "ring, ODE; no control, no idle", digital["low"], digital["high"])  # fmt: skip
    for case in cases:
        note(f"evaluations, {case['case']}", case["evaluations"], "",
             "to within 1.1 of the KL of 200 steps, mean of 20 seeds")  # fmt: skip
        for name in BASELINES:
            least, most = case[f"{name}: least"], case[f"{name}: most"]
            note(f"time of a sample, {case['case']}, {name}", least, "s",
                 f"{HERE}; least of many, spread", least, most)  # fmt: skip
            note(f"energy of a sample, {case['case']}, {name}", least * CORE_WATT.value, "J",
                 "that time, one core", least * CORE_WATT.low, least * CORE_WATT.high)  # fmt: skip
    figure = _draw(energy, ratios, watt, solve_second, digital, cases)
    caption = (
        f"One sample. Analog: {1e6 * total:.2f} uJ ({1e3 * watt:.0f} mW on chip) for a solve of 20 "
        f"us, all blocks {level}, without converters; the fastest solve within {NEAR} of the "
        f"software's KL takes {_micro(fastest)} (macro blocks). Digital, measured here: {HERE}; "
        f"{_times(ring)} for {ring['evaluations']} evaluations of the ring's ODE. A core's power "
        f"is assumed ({CORE_WATT.value:g} W); arithmetic and cache alone take "
        f"{1e9 * digital['value']:.0f} nJ. No GPU was measured"
    )
    return Finding(figure, rows, caption, _beside(cases, total, watt, solve_second, digital))


CONVERTERS = 21
HERE = (
    "one core of a shared AMD EPYC, AVX2 (8 float32): a framework (torch, eager, float64) one by "
    "one; compiled (numba, float32) one by one, and in batches of 256 by BLAS"
)


def converter_watt() -> float:
    """W that a 12-bit converter takes, by its bench."""
    where = conditions("gf180mcu", ("typical",), (27.0,), 3.3, Fidelity.TRANSISTOR)
    (sheet,) = sheets("dac", where, 1)
    return 3.3 * sheet.measured.values["supply_ampere"]


def _times(case: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_micro(case[f'{name}: least'])}" for name in BASELINES)


def _micro(second: float | None) -> str:
    return "longer than 20 us" if second is None else f"{1e6 * second:.3g} us"


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


def _draw(
    energy: dict[str, float],
    ratios: dict[float, float],
    watt: float,
    solve_second: float,
    digital: dict[str, float],
    cases: list[dict[str, Any]],
) -> Any:
    figure, axes = plt.subplots(2, 2, figsize=(13, 9), layout="constrained")
    ordered = sorted(energy.items(), key=lambda item: item[1])
    axes[0, 0].barh([kind for kind, _ in ordered], [1e6 * joule for _, joule in ordered])
    axes[0, 0].set(xlabel="energy of a 20 us solve (uJ)", title="by kind of block")
    seconds = np.array(list(ratios))
    axes[0, 1].semilogx(1e6 * seconds, list(ratios.values()), "o-")
    axes[0, 1].axhline(NEAR, color="black", ls="--", label=f"{NEAR} of the software's")
    axes[0, 1].set(xlabel="solve time (us)", ylabel="KL / software's KL", title="macro blocks, ODE")
    axes[0, 1].legend(fontsize="small")
    axes[0, 1].set_xticks([1e6 * second for second in ratios])
    axes[0, 1].xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes[0, 1].xaxis.set_minor_formatter(NullFormatter())
    place, height = np.arange(len(cases)), 0.25
    for number, name in enumerate(BASELINES):
        least = np.array([case[f"{name}: least"] for case in cases])
        most = np.array([case[f"{name}: most"] for case in cases])
        at = place + (number - 1) * height
        axes[1, 0].barh(at, 1e6 * least, height, xerr=[0 * least, 1e6 * (most - least)],
                        capsize=2, label=name)  # fmt: skip
        axes[1, 1].barh(
            at, 1e6 * least * CORE_WATT.value, height, capsize=2, label=name,
            xerr=[1e6 * least * (CORE_WATT.value - CORE_WATT.low),
                  1e6 * least * (CORE_WATT.high - CORE_WATT.value)],
        )  # fmt: skip
    axes[1, 0].axvline(1e6 * solve_second, color="black", label="analog")
    axes[1, 1].axvline(1e6 * watt * solve_second, color="black", label="analog")
    axes[1, 1].axvspan(1e6 * digital["low"], 1e6 * digital["high"], alpha=0.15, color="C3")
    axes[1, 1].axvline(
        1e6 * digital["value"], color="C3", label="ring, ODE: arithmetic and cache (range)"
    )
    axes[1, 0].set(xscale="log", xlabel="time of a sample (us); bars: spread")
    axes[1, 1].set(xscale="log", xlabel="energy of a sample (uJ); bars: 3 to 30 W a core")
    for axis in axes[1]:
        axis.set_yticks(place, [f"{case['case']}\n{case['evaluations']} evaluations"
                                for case in cases])  # fmt: skip
        axis.invert_yaxis()
        axis.legend(fontsize="x-small")
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    return figure


def _beside(
    cases: list[dict[str, Any]],
    total: float,
    watt: float,
    solve_second: float,
    digital: dict[str, float],
) -> list[Beside]:
    by = {case["case"]: case for case in cases}

    def faster(which: str) -> str:
        return f"{which}: " + ", ".join(
            f"{by[which][f'{name}: least'] / solve_second:.3g}x ({name})" for name in BASELINES
        )

    def saved(which: str) -> str:
        return f"{which}: " + ", ".join(
            f"{by[which][f'{name}: least'] * CORE_WATT.value / total:.3g}x ({name})"
            for name in BASELINES
        )

    why = (
        "the published factors time a framework one sample at a time, as far as they can be "
        "followed; the same sampler compiled is faster than 20 us"
    )
    cost = f"energy of a core assumed at {CORE_WATT.value:g} W; the published processor is not said"
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
               f"{1e9 * digital['value']:.0f} nJ, {digital['value'] / total:.3f} of ours",
               "a chip that does nothing but these operations would win"),
        Beside("system power", "7.2 uJ in 20 us: 0.36 W", f"{watt:.2f} W, {1e6 * total:.1f} uJ",
               "the paper's system is on boards, with discrete op-amps, multipliers and ten DACs, "
               "each of milliwatts; ours is one chip, converters not in it (their row: what they "
               "would add)"),
    ]  # fmt: skip
