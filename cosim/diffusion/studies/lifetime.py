"""How long an array lasts: what solving does to its cells, by the card, and to its samples.

A row at u units puts volt_per_unit u across its cells, which moves their gaps: the mean velocity
over solves is integrated over their number. Samples come from the weights that are left.
"""

import copy
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch

from cosim.circuits.cell_1t1r import READ_VOLT
from cosim.circuits.rram import BOLTZMANN_ELECTRONVOLT_PER_KELVIN as BOLTZMANN
from cosim.circuits.rram import KELVIN_AT_ZERO_CELSIUS, RramCard, load_card
from cosim.diffusion.circuit.mapped_score import map_score
from cosim.diffusion.circuit.mapping import ConductanceWindow, MappedLayer
from cosim.diffusion.problem import Problem
from cosim.diffusion.score.network import Exact, ScoreNetwork
from cosim.diffusion.score.sampling import heun, initial_states
from cosim.diffusion.studies.quality import EPSILON, ring_kl
from cosim.diffusion.studies.study import Beside, Finding, Workspace

SOLVE_SECOND = 20e-6
CELSIUS = (27.0, 85.0)
SOLVES = np.concatenate([[0.0], np.geomspace(1e2, 1e9, 57)])
OBSERVED, TIMES, STEPS, BINS = 2000, 60, 30, 400
SHOWN_KL = 7
"""Of how many solves each KL is worked out."""
NOTICED = 0.01


@dataclass(frozen=True)
class Bounded(Exact):
    """ReLUs that clamp at some units; infinity: nowhere."""

    unit: float

    def activation(self, total: torch.Tensor) -> torch.Tensor:
        """What the hidden stages give out."""
        return super().activation(total).clamp(max=self.unit)


@dataclass(frozen=True)
class Array:
    """A way to hold the rows down.

    Attributes:
        clamp_unit: where the ReLUs clamp.
        volt_per_unit: of the rows.
    """

    problem: Problem
    clamp_unit: float = np.inf
    volt_per_unit: float = 0.1

    @property
    def network(self) -> ScoreNetwork:
        """As trained."""
        network = self.problem.network
        assert isinstance(network, ScoreNetwork)  # the ring has no classes
        return network

    def samples(self, network: ScoreNetwork, count: int, seed: int) -> np.ndarray:
        """Samples of the ring by the probability-flow equation, with clamped ReLUs [count, 2]."""
        bounded = Bounded(self.clamp_unit)

        def score(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            raw = network.hidden_and_raw(x, t, hardware=bounded)[1]
            return network.score_factor(t)[..., None] * raw

        task = self.problem.task
        start = task.start_deviation * initial_states(count, network.states, seed)
        return np.asarray(heun(score, task.sampling_sde, start, STEPS))  # type: ignore[arg-type]

    def rows(self) -> list[np.ndarray]:
        """Volts of each layer's rows over times and solves [times * solves, rows], the bias row's
        last.
        """
        network, task = self.network, self.problem.task
        state = task.start_deviation * initial_states(OBSERVED, network.states, 1)
        seen: list[list[np.ndarray]] = [[] for _ in network.linear_layers]
        bounded = Bounded(self.clamp_unit)

        def watched(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            hidden, raw = network.hidden_and_raw(x, t, hardware=bounded)
            for layer, units in enumerate([x, *hidden]):
                seen[layer].append(np.hstack([units.numpy(), np.ones((len(x), 1))]))
            return network.score_factor(t)[..., None] * raw

        heun(watched, task.sampling_sde, state, TIMES)  # type: ignore[arg-type]
        return [self.volt_per_unit * np.concatenate(part) for part in seen]


def mean_velocity(
    card: RramCard, gap: np.ndarray, seen: tuple[np.ndarray, np.ndarray], celsius: float
) -> np.ndarray:
    """Mean dg/dt in m/s of cells [rows, columns] whose rows spent parts of the time [rows, bins] at
    volts [bins]: rare ones count most, as the velocity grows by a factor e in some 30 mV.
    """
    volts, parts = seen
    field = card.hop_distance_metre / card.oxide_thickness_metre
    gamma = card.field_enhancement - card.field_enhancement_loss * (
        gap / card.field_gap_scale_metre) ** 3  # fmt: skip
    scale = card.current_scale_ampere * np.exp(-gap / card.gap_scale_metre)
    heat = np.abs(volts * np.sinh(volts / card.voltage_scale_volt)) * scale[..., None]
    kelvin = celsius + KELVIN_AT_ZERO_CELSIUS + card.thermal_resistance_kelvin_per_watt * heat
    thermal = BOLTZMANN * kelvin
    rate = np.exp(-card.activation_energy_electronvolt / thermal)
    moved = rate * np.sinh(gamma[..., None] * field * volts / thermal)
    return -card.velocity_scale_metre_per_second * np.asarray((moved * parts[:, None]).sum(axis=-1))


def spent(volts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Volts [bins] and the part of the time that each row spent there [rows, bins], of what was
    seen [n, rows].
    """
    largest = float(np.abs(volts).max())
    edges = np.linspace(-largest, largest, BINS + 1)
    counts = np.stack([np.histogram(row, edges)[0] for row in volts.T])
    return (edges[1:] + edges[:-1]) / 2, counts / len(volts)


def aged(card: RramCard, layers: tuple[MappedLayer, ...], rows: list[np.ndarray], celsius: float,
         solves: np.ndarray) -> list[tuple[MappedLayer, ...]]:  # fmt: skip
    """The arrays after so many solves (increasing, the first 0)."""
    largest = card.conductance(0.0, READ_VOLT)
    found, seen = [layers], [spent(volts) for volts in rows]
    gaps = [
        card.gap_scale_metre * np.log(largest / np.stack([one.plus_siemens, one.minus_siemens]))
        for one in layers
    ]
    for before, after in itertools.pairwise(solves):
        now = []
        for number, (layer, known) in enumerate(zip(layers, seen, strict=True)):
            moved = [
                gap + (after - before) * SOLVE_SECOND * mean_velocity(card, gap, known, celsius)
                for gap in gaps[number]
            ]
            gaps[number] = np.clip(moved, card.minimum_gap_metre, card.maximum_gap_metre)
            plus, minus = largest * np.exp(-gaps[number] / card.gap_scale_metre)
            now.append(replace(layer, plus_siemens=plus, minus_siemens=minus))
        found.append(tuple(now))
    return found


def worst_drift(fresh: tuple[MappedLayer, ...], old: tuple[MappedLayer, ...]) -> float:
    """Largest relative change of a conductance."""
    return max(
        float(np.abs(getattr(b, side) / getattr(a, side) - 1).max())
        for a, b in zip(fresh, old, strict=True)
        for side in ("plus_siemens", "minus_siemens")
    )


def read_back(network: ScoreNetwork, layers: tuple[MappedLayer, ...]) -> ScoreNetwork:
    """A network with the weights that arrays hold."""
    read = copy.deepcopy(network)
    with torch.no_grad():
        for linear, layer in zip(read.linear_layers, layers, strict=True):
            weight, bias = layer.read()
            linear.get_parameter("weight").copy_(torch.from_numpy(weight))
            linear.get_parameter("bias").copy_(torch.from_numpy(bias))
    return read


def solves_until(solves: np.ndarray, values: np.ndarray, limit: float) -> float:
    """The number of solves at which a rising value passes a limit; infinity: never."""
    beyond = np.flatnonzero(values > limit)
    if not len(beyond):
        return float("inf")
    after = beyond[0]
    if after == 0 or solves[after - 1] == 0:
        return float(solves[after] * limit / values[after])
    low, high = np.log(solves[after - 1 : after + 1])
    share = (limit - values[after - 1]) / (values[after] - values[after - 1])
    return float(np.exp(low + share * (high - low)))


def arrays(workspace: Workspace) -> dict[str, Array]:
    """The ways that are compared."""
    published = workspace.run("published", {"task": "circle"}).problem
    epsilon = workspace.run("epsilon", {"task": "circle", **EPSILON["ODE"]}).problem
    return {
        "published network": Array(published),
        "ReLU clamps at 5 units": Array(published, clamp_unit=5.0),
        "50 mV a unit": Array(published, volt_per_unit=0.05),
        "epsilon network": Array(epsilon),
        "epsilon network, 50 mV a unit": Array(epsilon, volt_per_unit=0.05),
    }


def array_lifetime(workspace: Workspace) -> Finding:
    """Drift of the cells and KL against the number of solves, by temperature and by bound."""
    card, seeds = load_card(), workspace.size(3, 1)
    figure, axes = plt.subplots(1, 3, figsize=(16, 5.5), layout="constrained")
    rows: list[dict[str, Any]] = []
    lives: dict[tuple[str, float], float] = {}
    reached = {}
    for number, (name, array) in enumerate(arrays(workspace).items()):
        workspace.on_progress(f"array_lifetime: {name}")
        (mapped,) = map_score(array.network, ConductanceWindow())
        volts = array.rows()
        reached[name] = max(float(np.abs(part).max()) for part in volts)
        for celsius, style in zip(CELSIUS, ("-", "--"), strict=True):
            old = aged(card, mapped.layers, volts, celsius, SOLVES)
            drift = np.array([worst_drift(mapped.layers, one) for one in old])
            lives[name, celsius] = solves_until(SOLVES, drift, NOTICED)
            kl = {}
            for index in range(0, len(SOLVES), SHOWN_KL):
                network = read_back(array.network, old[index])
                kl[index] = float(np.mean([
                    ring_kl(array.samples(network, 500, seed))
                    for seed in range(seeds)
                ]))  # fmt: skip
            rows += [
                {"array": name, "celsius": celsius, "solves": SOLVES[index],
                 "worst_drift": drift[index], "kl_mean_nat": value,
                 "largest_row_volt": reached[name]}
                for index, value in kl.items()
            ]  # fmt: skip
            label = f"{name}, {celsius:g} C"
            axes[0].loglog(SOLVES[1:], drift[1:], style, color=f"C{number}", label=label)
            axes[1].semilogx([SOLVES[k] for k in kl if k], [kl[k] for k in kl if k], style,
                             color=f"C{number}")  # fmt: skip
    clamps = (1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 12.0)
    published = Array(workspace.run("published", {"task": "circle"}).problem)
    of_clamp = [
        float(np.mean([
            ring_kl(replace(published, clamp_unit=unit).samples(published.network, 500, seed))
            for seed in range(seeds)
        ])) for unit in clamps
    ]  # fmt: skip
    axes[2].plot(clamps, of_clamp, "o-")
    axes[0].axhline(NOTICED, color="black", lw=0.8)
    axes[0].set(xlabel="solves of 20 us", ylabel="largest relative change of a cell",
                ylim=(1e-6, 10))  # fmt: skip
    figure.legend(fontsize="small", loc="outside lower center", ncols=len(reached))
    axes[1].set(xlabel="solves of 20 us", ylabel="KL of 500 samples (nats)", yscale="log")
    axes[2].set(xlabel="ReLUs clamp at (units)", ylabel="KL, published network, fresh (nats)",
                yscale="log")  # fmt: skip
    for axis in axes:
        axis.grid(alpha=0.3)
    return Finding(figure, rows, _caption(reached, lives, clamps, of_clamp), _beside(lives))


def _caption(
    reached: Mapping[str, float],
    lives: Mapping[tuple[str, float], float],
    clamps: tuple[float, ...],
    of_clamp: list[float],
) -> str:
    said = "; ".join(
        f"{name}: rows to {reached[name]:.2f} V, {_count(lives[name, 27.0])} solves at 27 C, "
        f"{_count(lives[name, 85.0])} at 85 C"
        for name in reached
    )
    return (
        "What solving does to the cells by the card, whose gaps the rows' voltages move. Left: the "
        "cell that has moved most; middle: KL of the ODE's samples from the aged arrays; right: "
        f"KL where the ReLUs clamp ({of_clamp[0]:.2f} nats at {clamps[0]:g} units, "
        f"{of_clamp[4]:.2f} at {clamps[4]:g}, {of_clamp[-1]:.2f} at {clamps[-1]:g}). Solves until "
        f"a cell is {100 * NOTICED:g} % off: {said}. The access transistor's share is left out, "
        "and the rows are those of the fresh array"
    )


def _count(solves: float) -> str:
    return "more than 1e9" if not np.isfinite(solves) else f"{solves:.2g}"


def _beside(lives: Mapping[tuple[str, float], float]) -> list[Beside]:
    name = "published network"
    return [
        Beside(
            "solves until a cell is 1 % off", "not given",
            f"{_count(lives[name, 27.0])} at 27 C, {_count(lives[name, 85.0])} at 85 C; with 50 mV "
            f"a unit {_count(lives['50 mV a unit', 27.0])} and "
            f"{_count(lives['50 mV a unit', 85.0])}",
            "rows of hidden layers reach some ten units; fewer volts a unit cost accuracy nowhere "
            "in this figure, but signal against the op-amps' offset and noise",
        ),
    ]  # fmt: skip
