"""Solver: the closed loop whose node voltages are the sample as it is generated.

In bench time tau = 1 - t the probability-flow equation of a variance-preserving SDE is

    dx/dtau = beta(t)/2 (x + score(x, t)),      score = output_gain * raw

and its reverse SDE is dx = beta(t)/2 (x + 2 score(x, t)) dtau + sqrt(beta(t)) dw.

For each state: two multipliers form -beta/2 x and -beta/2 raw, a summing input stage weighs them
1 : output_gain (1 : 2 output_gain for the SDE), and an inverting integrator with R C = solve time
closes the loop. Where the network predicts the noise, score = output_gain * raw / sigma(t), the
score's multipliers carry beta / (4 sigma) and their inputs weigh twice as much. With guidance and
the score in the netlist, a second network without the condition, its last layer negated, has
multipliers and inputs of its own: (1 + w) raw(class) + w (-raw(no class)). The SDE's noise has an
input of its own. Its source carries -sqrt(beta) already, as on the published bench, and is as large
as the supply allows: an input of high gain would weigh the others' errors, and a multiplier lags
the noise.
Multipliers and a score of real op-amps lag the state by some 150 ns, 0.7 % of the solve: their
inputs have lead capacitors for as much, and beta is late where it enters after layers.
Node x_i is analog_ground + volt_per_unit * x_i; beta/2 is a node of 1 V for 1.
Source: fact sheet, sections 2, 4 (bench controller) and 8.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.circuits.dac import Converters
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.integrator import (
    Integrator,
    IntegratorSpec,
)
from cosim.circuits.noise import WienerNoise
from cosim.circuits.summing import SummingInput, input_resistances
from cosim.circuits.voltage_reference import VoltageReferenceSpec, add_reference
from cosim.diffusion.circuit.lags import Lags
from cosim.diffusion.circuit.nodes import (
    SCORE_PARTS,
    SCORE_RATE_SIGNAL,
    initial_source,
    noise_signals,
    score_node,
    state_node,
    state_signals,
    wiener_node,
)
from cosim.diffusion.circuit.schedule import HALF_BETA, Schedule, add_initial, add_rise
from cosim.diffusion.circuit.score_source import AnalogScore, ScoreSource
from cosim.diffusion.scaling import Scaling
from cosim.netlist.netlist import Netlist, Signal, Tolerances, Transient
from cosim.process.process import Process


@dataclass(frozen=True)
class Solver:
    """Generates the netlist of one solve.

    Attributes:
        states: dimension of the sample.
        beta_start, beta_end: sampling beta at tau = 0 (t = 1) and at tau = 1 (t = 0).
        output_gain: gain of the score network's output.
        op_amp, switch: of the integrators, at any fidelity.
        integrator: their components, the lead resistor for that op-amp.
        switch_on_ohm: in series with the summing resistors, which are chosen with it.
        run_early_second: before tau = 0, when the run switches close.
        multiplier: of gain -1, at any fidelity.
        process: supplies the transistor models; None when no block needs them.
        score_weights: of the score's parts, (1,) or with guidance (1 + w, w).
        converters: hold beta and the noise's draws; None for exact waveforms.
        reference: fidelity of the analog ground's source. Initial conditions are against that
            node, and so must the states be read.
        offset_volts: input offset of each integrator's op-amp; none where it is empty.
        deviation: by t [n], of the noise that the network's output is divided by; None where it is
            the score itself.
        rises: whether the initial conditions rise in the precharge from an operating point at
            x = 0; else they are part of it.
        lags: of the stages before an input, which lead capacitors make up for.
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
    deviation: Callable[[np.ndarray], np.ndarray] | None = None
    integrator: IntegratorSpec = IntegratorSpec()
    tolerances: Tolerances = Tolerances()
    rises: bool = False
    run_early_second: float = 0.0
    lags: Lags = Lags()

    @property
    def ports(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Nodes that a score block reads and drives."""
        indices = range(self.states)
        return tuple(map(state_node, indices)), tuple(map(score_node, indices))

    def initial_volts(self, state: np.ndarray) -> dict[str, float]:
        """DC value of each initial-condition source for a state at tau = 0 [states]; where they
        rise, that is what they rise to.
        """
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
        if self.deviation is not None:
            recorded.append(SCORE_RATE_SIGNAL)
        for index in range(self.states):
            recorded += state_signals(index)
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
        scaling, schedule = self.scaling, self._schedule
        circuit = Circuit("solver")
        if self.process is not None:
            self.process.apply(circuit)
        self._add_supplies(circuit)
        schedule.add_to(circuit, noise)
        if self.rises:
            add_rise(circuit, self.integrator.precharge_second(self.switch_on_ohm))

        multiplier = self.multiplier
        gains, factors = self._inputs(noise)
        resistances = input_resistances(
            scaling.solve_second, self.integrator.c_int_farad, list(gains.values()),
            self.switch_on_ohm + self.integrator.lead_ohm,
        )  # fmt: skip
        summing = SummingInput("summing_input", resistances)
        second, farad = scaling.solve_second, self.integrator.c_int_farad
        leads = self.lags.leads_farad(gains, second, farad)
        integrator = Integrator(
            "integrator", self.integrator, self.op_amp, self.switch, tuple(leads.values())
        )
        for block in (multiplier, summing, integrator):
            circuit.subcircuit(block)
        volts = self.initial_volts(state)
        for index in range(self.states):
            add_initial(circuit, index, volts[initial_source(index).lower()], self.rises)
            for kind, (rate, node) in factors.items():
                circuit.X(
                    f"multiplier_{kind}_{index}", multiplier.name, rate, node(index),
                    f"drift_{kind}_{index}", "analog_ground", "vdd", circuit.gnd,
                )  # fmt: skip
            circuit.X(
                f"summing_{index}", summing.name,
                *(f"drift_{kind}_{index}" for kind in factors),
                *([wiener_node(index)] if noise is not None else ()),
                f"summing_{index}",
            )  # fmt: skip
            circuit.X(
                f"integrator_{index}", integrator.name, f"summing_{index}", f"initial_{index}",
                state_node(index), "run", "precharge",
                _non_inverting_node(circuit, index, self.offset_volts), "vdd", circuit.gnd,
                *(f"drift_{kind}_{index}" for kind in leads),
            )  # fmt: skip
        score.add_to(circuit)
        return Netlist(
            circuit,
            self._header(dict(zip(gains, resistances, strict=True))),
            Transient(scaling.stop_second, step_second),
            (
                *self.signals,
                *(score.signals if isinstance(score, AnalogScore) else ()),
                *(noise_signals(self.states, self.converters) if noise is not None else ()),
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

    @property
    def _schedule(self) -> Schedule:
        return Schedule(
            self.states, self.scaling, self.beta_start, self.beta_end, self.converters,
            self.deviation, self.rises, self.run_early_second, self.lags.layers_second,
        )  # fmt: skip

    def _inputs(
        self, noise: WienerNoise | None
    ) -> tuple[dict[str, float], dict[str, tuple[str, Callable[[int], str]]]]:
        """What is summed: gain, and of products the nodes that are multiplied, by kind."""
        gains = {"state": 1.0}
        factors: dict[str, tuple[str, Callable[[int], str]]] = {"state": (HALF_BETA, state_node)}
        drift = self.output_gain * (1 if noise is None else 2)
        rate, scale = self._schedule.score_rate_node, 1 if self.deviation is None else 2
        for part, weight in enumerate(self.score_weights):
            kind = SCORE_PARTS[part]
            gains[kind] = weight * drift * scale
            factors[kind] = (rate, partial(score_node, part=part))
        if noise is not None:
            gains["noise"] = self._schedule.wiener_gain(noise.updates)
        return gains, factors

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


def _non_inverting_node(circuit: Circuit, index: int, offset_volts: Sequence[float]) -> str:
    """The analog ground, off by the op-amp's offset."""
    if not offset_volts:
        return "analog_ground"
    node = f"offset_{index}"
    circuit.V(node, node, "analog_ground", offset_volts[index])
    return node
