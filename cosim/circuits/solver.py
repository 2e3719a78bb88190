"""Solver: the closed loop whose node voltages are the sample as it is generated.

In bench time tau = 1 - t the probability-flow equation of a variance-preserving SDE is

    dx/dtau = beta(t)/2 (x + score(x, t)),      score = output_gain * raw

and its reverse SDE is dx = beta(t)/2 (x + 2 score(x, t)) dtau + sqrt(beta(t)) dw.

For each state: two multipliers form -beta/2 x and -beta/2 raw, a summing input stage weighs them
1 : output_gain (1 : 2 output_gain for the SDE), and an inverting integrator with R C = solve time
closes the loop. For the SDE a third multiplier forms -sqrt(beta)/2 times a held noise source.
Node x_i is analog_ground + volt_per_unit * x_i; beta/2 and sqrt(beta)/2 are nodes of 1 V for 1.
Source: fact sheet, sections 2, 4 (bench controller) and 8.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.circuits.cell_1t1r import WORD_SUPPLY_VOLT
from cosim.circuits.integrator import Integrator, IntegratorSpec
from cosim.circuits.netlist import Netlist, Signal, Tolerances, Transient
from cosim.circuits.process import Process
from cosim.circuits.score_network import ScoreBlocks, ScoreNetworkCircuit
from cosim.circuits.summing import SummingInput, input_resistance
from cosim.circuits.waveform import piecewise_linear
from cosim.circuits.wiener import add_held_noise
from cosim.scaling import Scaling
from cosim.score.mapping import MappedNetwork

SWITCH_EDGE_SECOND = 20e-9
HOLD_SECOND = 50e-9


class ScoreSource(Protocol):
    """What drives the nodes score_i (raw score) from the nodes x_i."""

    def add_to(self, circuit: Circuit) -> None:
        """Add its elements to the circuit."""


@dataclass(frozen=True)
class AnalogScore:
    """The whole score network in the netlist."""

    network: MappedNetwork
    scaling: Scaling
    blocks: ScoreBlocks

    def add_to(self, circuit: Circuit) -> None:
        """Add the network, and the supply of its word lines."""
        block = ScoreNetworkCircuit("score_network", self.network, self.scaling, self.blocks)
        circuit.subcircuit(block)
        states, outputs = self.network.layers[0].inputs, self.network.layers[-1].outputs
        words = []
        if block.has_word_line:
            words = ["word_line"]
            circuit.V("word_line", "word_line", circuit.gnd, WORD_SUPPLY_VOLT)
        circuit.X(
            "score_network",
            block.name,
            *(state_node(index) for index in range(states)),
            *(score_node(index) for index in range(outputs)),
            *("analog_ground", "vdd", circuit.gnd),
            *words,
        )

    @property
    def signals(self) -> list[Signal]:
        """The hidden nodes: each unit's sum and its activation."""
        return [
            Signal(
                f"{kind}_{layer}.{unit}",
                f"xscore_network.{kind}_{layer}_{unit}",
                "V",
                f"{what} of unit {unit + 1}, hidden layer {layer + 1}",
            )
            for layer, mapped in enumerate(self.network.layers[:-1])
            for kind, what in (("hidden", "sum"), ("activation", "ReLU's output"))
            for unit in range(mapped.outputs)
        ]


@dataclass(frozen=True)
class PlaybackScore:
    """Recorded score voltages played back: time [n] in s, volts [n, states] against ground."""

    time_second: np.ndarray
    volts: np.ndarray

    def add_to(self, circuit: Circuit) -> None:
        """Add one PWL source for each score node."""
        for index in range(self.volts.shape[1]):
            piecewise_linear(
                circuit, score_node(index), circuit.gnd, self.time_second, self.volts[:, index]
            )


def state_node(index: int) -> str:
    """Integrator output: the state x_index."""
    return f"x_{index}"


def score_node(index: int) -> str:
    """Raw score, before the output gain."""
    return f"score_{index}"


def initial_source(index: int) -> str:
    """Name of the DC source of an initial condition."""
    return f"Vinitial_{index}"


@dataclass(frozen=True)
class Solver:
    """Generates the netlist of one solve.

    Attributes:
        states: dimension of the sample.
        beta_start, beta_end: sampling beta at tau = 0 (t = 1) and at tau = 1 (t = 0).
        output_gain: gain of the score network's output.
        op_amp, switch: of the integrators, at any fidelity.
        switch_on_ohm: in series with the summing resistors, which are chosen with it.
        multiplier: of gain -1, at any fidelity.
        process: supplies the transistor models; None when no block needs them.
    """

    states: int
    scaling: Scaling
    beta_start: float
    beta_end: float
    output_gain: float
    op_amp: SubCircuit
    switch: SubCircuit
    switch_on_ohm: float
    multiplier: SubCircuit
    process: Process | None
    integrator: IntegratorSpec = IntegratorSpec()
    tolerances: Tolerances = Tolerances()

    @property
    def ports(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Nodes that a score block reads and drives."""
        indices = range(self.states)
        return tuple(map(state_node, indices)), tuple(map(score_node, indices))

    def initial_volts(self, state: np.ndarray) -> dict[str, float]:
        """DC value of each initial-condition source for a state at tau = 0 [states]."""
        # The precharge loop inverts around the analog ground.
        return {
            initial_source(index).lower(): float(self.scaling.node_volt(-float(state[index])))
            for index in range(self.states)
        }

    @property
    def signals(self) -> tuple[Signal, ...]:
        """What a run records."""
        recorded = [
            Signal("supply.vdd", "vdd#branch", "A", "current into the positive supply source"),
            Signal("beta.half_beta", "half_beta", "V", "beta(t)/2, 1 V for 1, above ground"),
        ]
        for index in range(self.states):
            recorded += [
                Signal(f"integrator_{index}.out", state_node(index), "V", f"state x{index + 1}"),
                Signal(f"score.{index}", score_node(index), "V", f"raw score {index + 1}"),
                Signal(
                    f"integrator_{index}.virtual_ground",
                    f"xintegrator_{index}.virtual_ground",
                    "V",
                    "op-amp inverting input",
                ),
                Signal(f"multiplier_state_{index}.out", f"drift_state_{index}", "V", "-beta/2 x"),
                Signal(f"multiplier_score_{index}.out", f"drift_score_{index}", "V", "-beta/2 raw"),
            ]
        return tuple(recorded)

    def netlist(
        self,
        state: np.ndarray,
        score: ScoreSource,
        step_second: float,
        draws: np.ndarray | None = None,
    ) -> Netlist:
        """The closed loop from `state` [states] at tau = 0 to tau = 1.

        Args:
            draws: of the reverse SDE's noise, N(0, 1) [updates, states]; None for the
                probability-flow equation.
        """
        scaling = self.scaling
        circuit = Circuit("solver")
        if self.process is not None:
            self.process.apply(circuit)
        circuit.V("dd", "vdd", circuit.gnd, scaling.supply_volt)
        circuit.V("analog_ground", "analog_ground", circuit.gnd, scaling.analog_ground_volt)
        self._add_time_sources(circuit, draws)

        multiplier = self.multiplier
        gains = {"state": 1.0, "score": self.output_gain}
        if draws is not None:
            gains["score"] *= 2
            gains["noise"] = 2 * float(np.sqrt(len(draws)))
        resistances = self._summing_resistances(list(gains.values()))
        summing = SummingInput("summing_input", resistances)
        integrator = Integrator("integrator", self.integrator, self.op_amp, self.switch)
        for block in (multiplier, summing, integrator):
            circuit.subcircuit(block)
        volts = self.initial_volts(state)
        for index in range(self.states):
            initial = initial_source(index)
            circuit.V(initial[1:], f"initial_{index}", circuit.gnd, volts[initial.lower()])
            for kind, rate, node in (
                ("state", "half_beta", state_node(index)),
                ("score", "half_beta", score_node(index)),
                ("noise", "half_root_beta", f"noise_{index}"),
            )[: len(gains)]:
                circuit.X(
                    f"multiplier_{kind}_{index}",
                    multiplier.name,
                    rate,
                    node,
                    f"drift_{kind}_{index}",
                    *("analog_ground", "vdd", circuit.gnd),
                )
            circuit.X(
                f"summing_{index}",
                summing.name,
                *(f"drift_{kind}_{index}" for kind in gains),
                f"summing_{index}",
            )
            circuit.X(
                f"integrator_{index}",
                integrator.name,
                f"summing_{index}",
                f"initial_{index}",
                state_node(index),
                "run",
                "precharge",
                "analog_ground",
                "vdd",
                circuit.gnd,
            )
        score.add_to(circuit)
        return Netlist(
            circuit,
            self._header(dict(zip(gains, resistances, strict=True))),
            Transient(scaling.stop_second, step_second),
            (*self.signals, *(score.signals if isinstance(score, AnalogScore) else ())),
            self.tolerances,
        )

    def _summing_resistances(self, gains: Sequence[float]) -> list[float]:
        """Ohm for each input, the switch's on-resistance in series with all taken off."""
        ideal = [
            input_resistance(self.scaling.solve_second, self.integrator.c_int_farad, gain)
            for gain in gains
        ]
        siemens = sum(1 / ohm for ohm in ideal)
        return [ohm * (1 - self.switch_on_ohm * siemens) for ohm in ideal]

    def _add_time_sources(self, circuit: Circuit, draws: np.ndarray | None) -> None:
        scaling = self.scaling
        begin, end, high = scaling.precharge_second, scaling.stop_second, scaling.supply_volt
        edge = SWITCH_EDGE_SECOND / 2
        release = begin - HOLD_SECOND
        for node, time, volt in (
            ("precharge", [0.0, release - edge, release + edge], [high, high, 0.0]),
            ("run", [0.0, begin - edge, begin + edge], [0.0, 0.0, high]),
        ):
            piecewise_linear(circuit, node, circuit.gnd, np.array(time), np.array(volt))
        piecewise_linear(
            circuit,
            "half_beta",
            "analog_ground",
            np.array([0.0, begin, end]),
            np.array([self.beta_start, self.beta_start, self.beta_end]) / 2,
        )
        if draws is None:
            return
        tau = np.linspace(0, 1, len(draws) + 1)
        beta = self.beta_start + tau * (self.beta_end - self.beta_start)
        piecewise_linear(
            circuit,
            "half_root_beta",
            "analog_ground",
            begin + scaling.solve_second * tau,
            np.sqrt(beta) / 2,
        )
        for index in range(self.states):
            add_held_noise(circuit, f"noise_{index}", "analog_ground", draws[:, index], scaling)

    def _header(self, resistances: Mapping[str, float]) -> list[str]:
        scaling = self.scaling
        return [
            f"{self.states} states; {scaling.volt_per_unit} V for 1 unit around "
            f"{scaling.analog_ground_volt} V",
            f"precharge {scaling.precharge_second} s, then tau = 0 to 1 in "
            f"{scaling.solve_second} s",
            f"sampling beta {self.beta_start} at tau = 0 to {self.beta_end} at tau = 1; "
            f"output gain {self.output_gain}",
            f"integrator C = {self.integrator.c_int_farad} F, "
            + ", ".join(f"R_{kind} = {ohm:.6g} ohm" for kind, ohm in resistances.items()),
        ]
