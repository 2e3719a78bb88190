"""From a run's configuration to its members: netlists, blocks in lockstep, simulations."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from cosim.diffusion.beginning import AT_ONCE, Beginning
from cosim.diffusion.circuit.design import Design
from cosim.diffusion.circuit.nodes import activation_node
from cosim.diffusion.circuit.schedule import PRECHARGE_SWITCHES
from cosim.diffusion.circuit.score_source import PlaybackScore, ScoreSource
from cosim.diffusion.config import RunConfig
from cosim.diffusion.problem import Problem
from cosim.diffusion.score.block import (
    ReadNoiseFunction,
    ScoreFunction,
    last_layer_block,
    score_block,
)
from cosim.diffusion.score.compiled import CompiledScore
from cosim.diffusion.score.network import ScoreNetwork
from cosim.engine.worker import Simulation
from cosim.errors import ConfigurationError
from cosim.lockstep.block import Block
from cosim.lockstep.scheme import SCHEMES, Scheme
from cosim.lockstep.stepping import Stepping
from cosim.netlist.netlist import Netlist
from cosim.simulation.resume import resumed
from cosim.simulation.start import Starts
from cosim.trace import Trace

STATE, GROUND = "integrator_{}.out", "reference.out"
"""Signals whose difference is a state."""


@dataclass(frozen=True)
class Plan:
    """What is to be simulated: all samples of one variant of the transistors after another.

    Attributes:
        model_folder: of the transistor models as the netlist names them; None where they are
            installed.
    """

    config: RunConfig
    model_folder: Path | None = None

    @cached_property
    def problem(self) -> Problem:
        """What the circuit solves."""
        return Problem(self.config)

    @cached_property
    def designs(self) -> tuple[Design, ...]:
        """The circuit at each variant of the transistors."""
        variants = self.config.variants
        return tuple(Design(self.problem, variant, self.model_folder) for variant in variants)

    @property
    def design(self) -> Design:
        """The first member's circuit."""
        return self.designs[self.place(0)[0]]

    @property
    def members(self) -> int:
        """How many simulations there are."""
        ensemble = self.config.ensemble
        return 1 if ensemble.member is not None else len(self.config.variants) * ensemble.samples

    def place(self, member: int) -> tuple[int, int]:
        """A member's variant of the transistors, and its sample."""
        chosen = self.config.ensemble.member
        return divmod(member if chosen is None else chosen, self.config.ensemble.samples)

    @property
    def notes(self) -> dict[int, str]:
        """What each member's transistors are, where they differ."""
        variants = self.config.variants
        if self.members == 1 or len(variants) == 1:
            return {}
        return {
            member: variants[self.place(member)[0]].description for member in range(self.members)
        }

    def check(self) -> None:
        """Refuse what cannot be simulated.

        Raises:
            ConfigurationError: an unknown process or corner, or a step longer than the solve.
        """
        for design in self.designs:
            _ = design.process
        steps = self.config.scaling.solve_second / self.config.step_second
        if steps < 1:
            raise ConfigurationError(
                f"The coupling step {self.config.step_second:g} s is longer than the "
                f"solve, {self.config.scaling.solve_second:g} s. Choose `step_second` below it."
            )

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """What is stepped in lockstep: the score, unless it is in the netlist."""
        return self.blocks_of(self.place(0)[1])

    def blocks_of(self, sample: int) -> tuple[Block, ...]:
        """The same of a sample: cells that are read have noise of their own in each."""
        if self.config.score == "analog":
            return ()
        scaling, (states, scores) = self.config.scaling, self.design.solver.ports
        if self.config.score == "torch":
            return (score_block(self._score_function(sample), states, scores),)
        network = self.problem.network
        assert isinstance(network, ScoreNetwork)  # as there is no guidance
        units = range(network.weights_and_biases()[-1][0].shape[1])
        return (last_layer_block(network, scaling, tuple(map(activation_node, units)), scores),)

    def _score_function(self, sample: int) -> ScoreFunction:
        """The score in torch: the network's, or as its arrays are programmed and read."""
        window, scaling, arrays = self.config.window, self.config.scaling, self.design.programmed
        if not window.read_noise:
            exact = window.exact and not self.config.calibration.biases_unit
            network = self.problem.network
            score = CompiledScore.of(network) if exact else CompiledScore.read(arrays)
            return ScoreFunction(score, scaling)
        seed, updates = (self.config.ensemble.seed, sample), self.config.noise.updates
        return ReadNoiseFunction(arrays, scaling, window.read_noise, updates, seed)

    @cached_property
    def netlist(self) -> Netlist:
        """The first member's netlist, as the engine simulates it."""
        return self._netlist(self.design, self._source(self.design), self.place(0)[1])

    def played_back(self, time_second: np.ndarray, score_volts: np.ndarray) -> Netlist:
        """The first member's netlist with recorded score volts [n, states] in place of blocks."""
        source = self.design.score_source(PlaybackScore(time_second, score_volts))
        return self._netlist(self.design, source, self.place(0)[1])

    def _source(self, design: Design) -> ScoreSource:
        port = self.blocks[0].port(self._scheme) if self.blocks else None
        return design.score_source(port)

    def _netlist(self, design: Design, score: ScoreSource, sample: int | None) -> Netlist:
        """From a sample's initial state; None: from x = 0, and no noise."""
        states, noise = self.problem.initial_states, self.problem.noise(sample)
        state = np.zeros(states.shape[1]) if sample is None else states[sample]
        return design.solver.netlist(state, score, self.config.step_second, noise)

    def _initial_inputs(self, state: np.ndarray) -> tuple[float, ...]:
        """Voltages of the blocks' inputs at tau = 0."""
        if not self.blocks:
            return ()
        if self.config.score == "split":
            network = self.problem.network
            assert isinstance(network, ScoreNetwork)
            with torch.inference_mode():
                hidden, _ = network.hidden_and_raw(torch.from_numpy(state), torch.ones(()).double())
            state = hidden[-1].numpy()
        return tuple(self.config.scaling.node_volt(state))

    @property
    def _scheme(self) -> type[Scheme]:
        return SCHEMES.find(self.config.coupling.scheme)

    @property
    def _stepping(self) -> Stepping:
        coupling = self.config.coupling
        if not self.blocks:
            return Stepping()
        return Stepping(coupling.tolerance_volt, coupling.communication_second)

    def simulations(self, starts: Starts | None = None) -> Iterator[Simulation]:
        """One for each member, by number; operating points come from `starts`, or its errors."""
        places = enumerate(map(self.place, range(self.members)))
        starts = starts or Starts()
        for variant, members in itertools.groupby(places, lambda place: place[1][0]):
            yield from self._of_design(
                self.designs[variant], ((number, sample) for number, (_, sample) in members), starts
            )

    def _of_design(
        self, design: Design, members: Iterable[tuple[int, int]], starts: Starts
    ) -> Iterator[Simulation]:
        """Samples of the ODE share the netlist's text; those of the SDE have noise of their own."""
        source = self._source(design)
        first = self._netlist(design, source, 0)
        same = self.config.equation == "ode"
        saved = tuple(signal.vector for signal in first.signals)
        beginning = AT_ONCE
        if self.config.rises:
            start = starts.of(self._at_rest(design), map(self._at_rest, design.easier))
            beginning = Beginning.at(start, first, self.config)
        shared = beginning.of(str(first))
        for member, sample in members:
            state = self.problem.initial_states[sample]
            yield Simulation(
                member=member,
                netlist=shared
                if same
                else beginning.of(str(self._netlist(design, source, sample))),
                stop_second=self.config.scaling.stop_second,
                saved=saved,
                start=beginning.values,
                sources=design.solver.initial_volts(state),
                blocks=self.blocks_of(sample) if self.config.window.read_noise else self.blocks,
                scheme=self._scheme,
                initial_volts=self._initial_inputs(state),
                stepping=self._stepping,
                settles=False,  # a precharge holds the inputs there
            )

    def _at_rest(self, design: Design) -> str:
        """The netlist whose operating point is that of all samples: x = 0, and no noise yet."""
        return str(self._netlist(design, self._source(design), None))

    def continued(
        self, simulation: Simulation, at_second: float, values: np.ndarray
    ) -> Simulation | None:
        """The rest of a member's simulation from its recorded signals [signals] at a time; None
        before the solve has begun.
        """
        precharge_second = self.config.scaling.precharge_second
        if at_second <= precharge_second:
            return None
        volts = self.design.solver.initial_volts(self.units(values[None])[0])
        rest = resumed(simulation, at_second, precharge_second, volts, PRECHARGE_SWITCHES)
        # It stands at another time, to which the network's nodes go, but hardly the supply.
        return replace(rest, start=rest.start and rest.start[:1])

    def units(self, values: np.ndarray, pattern: str = STATE) -> np.ndarray:
        """What recorded node volts [points, signals] stand for against the analog ground [points,
        states]; `pattern` names the signals, one for each state.
        """
        names = [signal.name for signal in self.netlist.signals]
        columns = [names.index(pattern.format(k)) for k in range(self.problem.network.states)]
        volts = values[:, columns] - values[:, [names.index(GROUND)]]
        return volts / self.config.scaling.volt_per_unit


def states_at(plan: Plan, member: Trace, time_second: np.ndarray) -> np.ndarray:
    """States of a recorded member of a plan at times [n], in units [n, states]."""

    def at(name: str) -> np.ndarray:
        return np.interp(time_second, member.time_second, member[name].values)

    states = range(plan.problem.network.states)
    volts = np.stack([at(STATE.format(k)) - at(GROUND) for k in states], axis=1)
    return volts / plan.config.scaling.volt_per_unit
