"""Solver: the closed loop whose node voltages are the sample as it is generated.

In bench time tau = 1 - t the probability-flow equation of a variance-preserving SDE is

    dx/dtau = beta(t)/2 (x + score(x, t)),      score = output_gain * raw

and its reverse SDE is dx = beta(t)/2 (x + 2 score(x, t)) dtau + sqrt(beta(t)) dw.

For each state: two multipliers form -beta/2 x and -beta/2 raw, a summing input stage weighs them
1 : output_gain (1 : 2 output_gain for the SDE), and an inverting integrator with R C = solve time
closes the loop. For the SDE another multiplier forms -sqrt(beta)/2 times a noise source. With
guidance and the score in the netlist, a second network without the condition, its last layer
negated, has multipliers and inputs of its own: (1 + w) raw(class) + w (-raw(no class)).
Node x_i is analog_ground + volt_per_unit * x_i; beta/2 and sqrt(beta)/2 are nodes of 1 V for 1.
Source: fact sheet, sections 2, 4 (bench controller) and 8.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.circuits.cell_1t1r import WORD_SUPPLY_VOLT
from cosim.circuits.dac import Converters, hold_centres
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.integrator import (
    HOLD_SECOND,
    SWITCH_EDGE_SECOND,
    Integrator,
    IntegratorSpec,
)
from cosim.circuits.noise import TransientNoise, WienerNoise, add_held_noise
from cosim.circuits.summing import SummingInput, input_resistance
from cosim.circuits.voltage_reference import VoltageReferenceSpec, add_reference
from cosim.diffusion.circuit.mapping import MappedNetwork
from cosim.diffusion.circuit.score_network import ScoreBlocks, ScoreNetworkCircuit
from cosim.diffusion.scaling import Scaling
from cosim.netlist.netlist import Netlist, Signal, Tolerances, Transient
from cosim.netlist.waveform import piecewise_linear
from cosim.process.process import Process

PRECHARGE_SWITCHES = frozenset({"vrun", "vprecharge"})
"""Sources that end the precharge."""


class ScoreSource(Protocol):
    """What drives the nodes score_i (raw score) from the nodes x_i."""

    def add_to(self, circuit: Circuit) -> None:
        """Add its elements to the circuit."""


@dataclass(frozen=True)
class AnalogScore:
    """The whole score network in the netlist; with guidance, two of them.

    Attributes:
        last: drives the score nodes from the last activations; None for layers in the netlist.
    """

    networks: tuple[MappedNetwork, ...]
    scaling: Scaling
    blocks: ScoreBlocks
    last: ScoreSource | None = None

    def add_to(self, circuit: Circuit) -> None:
        """Add the networks, and the supply of their word lines."""
        for part, network in enumerate(self.networks):
            name = f"{score_node('network', part)}"
            block = ScoreNetworkCircuit(
                name, network, self.scaling, self.blocks, self.last is not None
            )
            circuit.subcircuit(block)
            if block.has_word_line and part == 0:
                circuit.V("word_line", "word_line", circuit.gnd, WORD_SUPPLY_VOLT)
            circuit.X(
                name,
                name,
                *(state_node(index) for index in range(network.layers[0].inputs)),
                *(self._output_node(index, part) for index in range(len(block.outputs))),
                *("analog_ground", "vdd", circuit.gnd),
                *(["word_line"] if block.has_word_line else []),
            )
        if self.last is not None:
            self.last.add_to(circuit)

    def _output_node(self, index: int, part: int) -> str:
        return score_node(index, part) if self.last is None else activation_node(index)

    @property
    def signals(self) -> list[Signal]:
        """The hidden nodes: each unit's sum and its activation (of the first network)."""
        return [
            Signal(
                f"{kind}_{layer}.{unit}",
                self._vector(kind, layer, unit),
                "V",
                f"{what} of unit {unit + 1}, hidden layer {layer + 1}",
            )
            for layer, mapped in enumerate(self.networks[0].layers[:-1])
            for kind, what in (("hidden", "sum"), ("activation", "ReLU's output"))
            for unit in range(mapped.outputs)
        ]

    def _vector(self, kind: str, layer: int, unit: int) -> str:
        last_hidden = layer == len(self.networks[0].layers) - 2
        if self.last is not None and kind == "activation" and last_hidden:
            return activation_node(unit)
        return f"xscore_network.{kind}_{layer}_{unit}"


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


def score_node(index: int | str, part: int = 0) -> str:
    """Raw score, before the output gain; part 1 is that without the condition."""
    return f"{('score', 'unconditional')[part]}_{index}"


def activation_node(unit: int) -> str:
    """Last activation of a score network whose last layer is outside the netlist."""
    return f"activation_{unit}"


def noise_node(index: int) -> str:
    """Noise source of a state."""
    return f"noise_{index}"


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
        score_weights: of the score's parts, (1,) or with guidance (1 + w, w).
        converters: hold beta and the noise's draws; None for exact waveforms.
        reference: fidelity of the analog ground's source. Initial conditions are against that
            node, and so must the states be read.
        offset_volts: input offset of each integrator's op-amp; none where it is empty.
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
    score_weights: tuple[float, ...] = (1.0,)
    converters: Converters | None = None
    reference: Fidelity = Fidelity.IDEAL
    offset_volts: tuple[float, ...] = ()
    integrator: IntegratorSpec = IntegratorSpec()
    tolerances: Tolerances = Tolerances()

    @property
    def ports(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Nodes that a score block reads and drives."""
        indices = range(self.states)
        return tuple(map(state_node, indices)), tuple(map(score_node, indices))

    def initial_volts(self, state: np.ndarray) -> dict[str, float]:
        """DC value of each initial-condition source for a state at tau = 0 [states]."""
        # Against the analog ground, around which the precharge loop inverts.
        return {
            initial_source(index).lower(): -self.scaling.volt_per_unit * float(state[index])
            for index in range(self.states)
        }

    @property
    def signals(self) -> tuple[Signal, ...]:
        """What a run records."""
        recorded = [
            Signal("supply.vdd", "vdd#branch", "A", "current into the positive supply source"),
            Signal("reference.out", "analog_ground", "V", "analog ground"),
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
        noise: WienerNoise | None = None,
    ) -> Netlist:
        """The closed loop from `state` [states] at tau = 0 to tau = 1.

        Args:
            noise: of the reverse SDE; None for the probability-flow equation.
        """
        scaling = self.scaling
        circuit = Circuit("solver")
        if self.process is not None:
            self.process.apply(circuit)
        self._add_supplies(circuit)
        self._add_time_sources(circuit, noise)

        multiplier = self.multiplier
        gains, factors = self._inputs(noise)
        resistances = self._summing_resistances(list(gains.values()))
        summing = SummingInput("summing_input", resistances)
        integrator = Integrator("integrator", self.integrator, self.op_amp, self.switch)
        for block in (multiplier, summing, integrator):
            circuit.subcircuit(block)
        volts = self.initial_volts(state)
        for index in range(self.states):
            initial = initial_source(index)
            circuit.V(initial[1:], f"initial_{index}", "analog_ground", volts[initial.lower()])
            for kind, (rate, node) in factors.items():
                circuit.X(
                    f"multiplier_{kind}_{index}",
                    multiplier.name,
                    rate,
                    node(index),
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
                self._non_inverting_node(circuit, index),
                "vdd",
                circuit.gnd,
            )
        score.add_to(circuit)
        return Netlist(
            circuit,
            self._header(dict(zip(gains, resistances, strict=True))),
            Transient(scaling.stop_second, step_second),
            (
                *self.signals,
                *(score.signals if isinstance(score, AnalogScore) else ()),
                *(self._noise_signals if noise is not None else ()),
            ),
            self.tolerances,
        )

    def score_bench(self, score: ScoreSource) -> Circuit:
        """The score alone, its inputs driven by sources vstate_i against the analog ground."""
        circuit = Circuit("score_bench")
        if self.process is not None:
            self.process.apply(circuit)
        self._add_supplies(circuit)
        for index in range(self.states):
            circuit.V(f"state_{index}", state_node(index), "analog_ground", 0.0)
        score.add_to(circuit)
        return circuit

    def _add_supplies(self, circuit: Circuit) -> None:
        circuit.V("dd", "vdd", circuit.gnd, self.scaling.supply_volt)
        spec = VoltageReferenceSpec.of_supply(self.scaling.supply_volt)
        add_reference(circuit, "analog_ground", self.reference, spec, self.process)

    def _non_inverting_node(self, circuit: Circuit, index: int) -> str:
        """The analog ground, off by the op-amp's offset."""
        if not self.offset_volts:
            return "analog_ground"
        node = f"offset_{index}"
        circuit.V(node, node, "analog_ground", self.offset_volts[index])
        return node

    def _inputs(
        self, noise: WienerNoise | None
    ) -> tuple[dict[str, float], dict[str, tuple[str, Callable[[int], str]]]]:
        """What is summed: gain, and the nodes that are multiplied, by kind."""
        gains = {"state": 1.0}
        factors: dict[str, tuple[str, Callable[[int], str]]] = {"state": ("half_beta", state_node)}
        drift = self.output_gain * (1 if noise is None else 2)
        for part, weight in enumerate(self.score_weights):
            kind = ("score", "unconditional")[part]
            gains[kind] = weight * drift
            factors[kind] = ("half_beta", partial(score_node, part=part))
        if noise is not None:
            gains["noise"] = 2 * float(np.sqrt(noise.updates))
            factors["noise"] = ("half_root_beta", noise_node)
        return gains, factors

    @property
    def _noise_signals(self) -> list[Signal]:
        return [
            Signal(f"noise.{index}", noise_node(index), "V", "draw of the Wiener term")
            for index in range(self.states)
        ]

    def _summing_resistances(self, gains: Sequence[float]) -> list[float]:
        """Ohm for each input, the switch's on-resistance in series with all taken off."""
        ideal = [
            input_resistance(self.scaling.solve_second, self.integrator.c_int_farad, gain)
            for gain in gains
        ]
        siemens = sum(1 / ohm for ohm in ideal)
        return [ohm * (1 - self.switch_on_ohm * siemens) for ohm in ideal]

    def _add_time_sources(self, circuit: Circuit, noise: WienerNoise | None) -> None:
        scaling = self.scaling
        begin, end, high = scaling.precharge_second, scaling.stop_second, scaling.supply_volt
        edge = SWITCH_EDGE_SECOND / 2
        release = begin - HOLD_SECOND
        for node, time, volt in (
            ("precharge", [0.0, release - edge, release + edge], [high, high, 0.0]),
            ("run", [0.0, begin - edge, begin + edge], [0.0, 0.0, high]),
        ):
            piecewise_linear(circuit, node, circuit.gnd, np.array(time), np.array(volt))
        if self.converters is not None:
            self._add_converters(circuit, self.converters, noise)
            return
        piecewise_linear(
            circuit,
            "half_beta",
            "analog_ground",
            np.array([0.0, begin, end]),
            np.array([self.beta_start, self.beta_start, self.beta_end]) / 2,
        )
        if noise is None:
            return
        tau = np.linspace(0, 1, noise.updates + 1)
        piecewise_linear(
            circuit,
            "half_root_beta",
            "analog_ground",
            begin + scaling.solve_second * tau,
            np.sqrt(self._beta(tau)) / 2,
        )
        if noise.draws is not None:
            for index in range(self.states):
                draws = noise.draws[:, index]
                add_held_noise(circuit, noise_node(index), "analog_ground", draws, scaling)
            return
        hold = scaling.solve_second / noise.updates
        source = TransientNoise("transient_noise", scaling.volt_per_unit, hold)
        circuit.subcircuit(source)
        for index in range(self.states):
            circuit.X(f"noise_{index}", source.name, noise_node(index), "analog_ground")

    def _beta(self, tau: np.ndarray) -> np.ndarray:
        return self.beta_start + tau * (self.beta_end - self.beta_start)

    def _add_converters(
        self, circuit: Circuit, converters: Converters, noise: WienerNoise | None
    ) -> None:
        beta = self._beta(hold_centres(converters.updates))
        banks = {"rates": {"half_beta": beta / 2}}
        if noise is not None:
            banks["rates"]["half_root_beta"] = np.sqrt(beta) / 2
            assert noise.draws is not None  # a run with converters has draws
            banks["noise"] = {
                noise_node(index): self.scaling.volt_per_unit * noise.draws[:, index]
                for index in range(self.states)
            }
        for name, volts in banks.items():
            bank = converters.hold(name, volts, self.scaling)
            circuit.subcircuit(bank)
            circuit.X(name, name, *volts, "analog_ground", "vdd", circuit.gnd)

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
