"""Time and energy of one sample: the solver's from its supply currents, a digital one counted."""

from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from cosim.diffusion.run import Run
from cosim.diffusion.studies.baselines import NEAR
from cosim.diffusion.studies.generation import MACRO
from cosim.diffusion.studies.quality import DISPLACEMENTS, ring_kl
from cosim.diffusion.studies.study import Beside, Finding, Workspace
from cosim.diffusion.studies.waveforms import WHOLE
from cosim.engine.isolated import analysed
from cosim.engine.session import saved
from cosim.netlist.metering import metered

SOLVE_SECOND = (20e-6, 10e-6, 5e-6, 2e-6, 1e-6)
STEPS_IN_A_SOLVE = 400
PICO, MICRO = 1e-12, 1e-6


@dataclass(frozen=True)
class Energy:
    """J from the supply.

    Attributes:
        solve: of each kind of block.
        precharge: of all, before the solve.
    """

    solve: dict[str, float]
    precharge: float


def energy_by_block(workspace: Workspace, tables: dict[str, Any]) -> tuple[Run, Energy]:
    """What a sample takes from the supply."""
    run = workspace.run("speed_energy", tables)
    netlist, vectors = metered(str(run.plan.netlist), frozenset({"xscore_network"}))
    body = [line for line in netlist.splitlines() if not line.startswith(".save ")]
    currents = [f"i({vector.removesuffix('#branch')})" for vector in vectors.values()]
    body[-1:] = [saved([*currents, "i(vdd)"]), body[-1], ""]
    workspace.on_progress("speed_energy: supply currents of one solve")
    found = analysed("\n".join(body))
    scaling, at = run.config.scaling, found["time"]
    solving = np.concatenate([[scaling.precharge_second], at[at > scaling.precharge_second]])

    def joule(vector: str, times: np.ndarray) -> float:
        ampere = np.interp(times, at, found[vector])
        return scaling.supply_volt * float(np.trapezoid(ampere, times))

    taken = {kind: joule(vector, solving) for kind, vector in vectors.items()}
    whole = -joule("vdd#branch", solving)
    taken["others"] = whole - sum(taken.values())
    return run, Energy(taken, -joule("vdd#branch", at) - whole)


def speed_energy(workspace: Workspace) -> Finding:
    """Energy of a solve by kind of block, and how fast it may be; see `digital` for processors."""
    run, energy = energy_by_block(workspace, WHOLE)
    return solver_finding(run, energy, _kl_over_software(workspace))


def solver_finding(run: Run, energy: Energy, ratios: dict[float, float]) -> Finding:
    """Of what a sample takes, and of KL over the software's by solve time."""
    # A KL of few samples is noisy: a fast solve counts only where all slower ones are near, too.
    near = list(takewhile(lambda second: ratios[second] <= NEAR, sorted(ratios, reverse=True)))
    fastest = near[-1] if near else None
    scaling, total = run.config.scaling, sum(energy.solve.values())
    watt = total / scaling.solve_second
    level = run.config.fidelity.opamp
    rows: list[dict[str, Any]] = [
        {"quantity": f"energy, {kind}", "value": joule, "unit": "J",
         "source": f"supply current, all blocks {level}, one 20 us solve"}
        for kind, joule in sorted(energy.solve.items(), key=lambda item: -item[1])
    ]  # fmt: skip
    rows += [
        {"quantity": "energy, solver", "value": total, "unit": "J", "source": "their sum"},
        {"quantity": "power, solver", "value": watt, "unit": "W", "source": "over the solve"},
        {"quantity": "precharge before it", "value": energy.precharge, "unit": "J",
         "source": f"of {1e6 * scaling.precharge_second:g} us, in which initial conditions rise"},
        *({"quantity": f"KL over software's, solve in {1e6 * second:g} us", "value": ratio,
           "unit": "", "source": "macro blocks, ODE"} for second, ratio in ratios.items()),
        {"quantity": "fastest solve within 1.1 of the software's KL", "value": fastest,
         "unit": "s", "source": "macro blocks, ODE"},
    ]  # fmt: skip
    caption = (
        f"One sample of the ring: {1e6 * total:.2f} uJ ({1e3 * watt:.0f} mW on chip) for a solve "
        f"of 20 us, all blocks {level}; the precharge of {1e6 * scaling.precharge_second:g} us "
        f"before it takes {1e6 * energy.precharge:.2f} uJ more. Converters, bias row and initial "
        f"conditions are ideal sources and not in it. The fastest solve within {NEAR} of the "
        "software's KL, as all slower ones are, takes "
        f"{'longer than 20 us' if fastest is None else f'{1e6 * fastest:g} us'} (macro blocks)"
    )
    return Finding(_draw(energy.solve, ratios), rows, caption, [
        Beside("system power", "7.2 uJ in 20 us: 0.36 W", f"{watt:.2f} W, {1e6 * total:.1f} uJ",
               "the paper's system is on boards, with discrete op-amps, multipliers and ten DACs, "
               "each of milliwatts; ours is one chip without converters"),
    ])  # fmt: skip


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
    software = ring_kl(run.problem.software_samples(), DISPLACEMENTS)
    return {
        second: ring_kl(states, DISPLACEMENTS) / software
        for second, states in zip(shown, found.values(), strict=True)
    }


def _draw(energy: dict[str, float], ratios: dict[float, float]) -> Any:
    figure, (blocks, times) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    ordered = sorted(energy.items(), key=lambda item: item[1])
    blocks.barh([kind for kind, _ in ordered], [1e6 * joule for _, joule in ordered])
    blocks.set(xlabel="energy of a 20 us solve (uJ)", title="by kind of block")
    times.semilogx([1e6 * second for second in ratios], list(ratios.values()), "o-")
    times.axhline(NEAR, color="black", ls="--", label=f"{NEAR} of the software's")
    times.set(xlabel="solve time (us)", ylabel="KL / software's KL", title="macro blocks, ODE")
    times.legend(fontsize="small")
    times.set_xticks([1e6 * second for second in ratios])
    times.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    times.xaxis.set_minor_formatter(NullFormatter())
    for axis in (blocks, times):
        axis.grid(alpha=0.3)
    return figure
