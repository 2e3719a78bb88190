"""The circuit of a run: its transistors, its solver, and the score network that is in it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from cosim.circuits.analog_switch import AnalogSwitchSpec, analog_switch, on_resistance
from cosim.circuits.dac import Converters, converters
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.integrator import RUN_EARLY_SECOND, IntegratorSpec
from cosim.circuits.multiplier import MultiplierSpec, multiplier
from cosim.circuits.multiplier import lag_second as multiplier_lag
from cosim.circuits.offset import InputOffsets
from cosim.circuits.opamp import OpAmpSpec, op_amp
from cosim.diffusion.circuit.lags import Lags, score_lag
from cosim.diffusion.circuit.mapped_score import map_score
from cosim.diffusion.circuit.mapping import MappedNetwork, frozen
from cosim.diffusion.circuit.nodes import SCORE_PARTS
from cosim.diffusion.circuit.score_network import score_blocks
from cosim.diffusion.circuit.score_source import AnalogScore, ScoreSource
from cosim.diffusion.circuit.solver import Solver
from cosim.diffusion.config import RunConfig
from cosim.diffusion.problem import Problem
from cosim.diffusion.score.network import EpsilonNetwork
from cosim.diffusion.variant import Variant
from cosim.errors import ConfigurationError
from cosim.netlist.netlist import Tolerances
from cosim.process.process import Process, find_process

ROOM_CELSIUS, TEMPERATURE_STEP = 27.0, 35.0
"""Newton's method goes that far from one operating point to the next."""


@dataclass(frozen=True)
class Design:
    """The blocks of one variant of the transistors.

    Attributes:
        model_folder: of the transistor models as the netlist names them; None where they are
            installed.
        temperature_celsius: instead of the run's; None: the run's.
    """

    problem: Problem
    variant: Variant
    model_folder: Path | None = None
    temperature_celsius: float | None = None

    @property
    def config(self) -> RunConfig:
        """Of the run."""
        return self.problem.config

    @cached_property
    def process(self) -> Process:
        """The transistors at the variant's corner or draw, and the run's temperature."""
        variant, celsius = self.variant, self.temperature_celsius
        return find_process(self.config.process.name)(
            variant.corner,
            self.config.process.temperature_celsius if celsius is None else celsius,
            variant.monte_carlo_seed,
            self.model_folder,
        )

    @property
    def easier(self) -> Iterator["Design"]:
        """Designs whose operating points lead to this one's, each from the one before: typical
        transistors at room temperature, its own there, and these in steps of temperature.
        """
        last = self.config.process.temperature_celsius
        steps = math.ceil(abs(last - ROOM_CELSIUS) / TEMPERATURE_STEP)
        plain = replace(self, temperature_celsius=ROOM_CELSIUS, variant=Variant("typical", None))
        if steps or self.variant != plain.variant:
            yield plain
        for celsius in np.linspace(ROOM_CELSIUS, last, steps + 1)[:-1]:
            yield replace(self, temperature_celsius=float(celsius))

    @cached_property
    def solver(self) -> Solver:
        """The circuit generator."""
        config, sde, network = self.config, self.problem.circuit_sde, self.problem.network
        supply, fidelity = config.scaling.supply_volt, config.fidelity
        switch = AnalogSwitchSpec(supply_volt=supply)
        op_amp_spec = OpAmpSpec(supply_volt=supply, topology=config.op_amp.topology)
        ideal = fidelity.opamp is Fidelity.IDEAL
        return Solver(
            states=network.states,
            scaling=config.scaling,
            beta_start=sde.beta_max,
            beta_end=sde.beta_min,
            output_gain=network.output_gain,
            op_amp=op_amp(fidelity.opamp, op_amp_spec, self.process),
            integrator=IntegratorSpec()
            if ideal
            else IntegratorSpec.of_op_amp(op_amp_spec.gbw_hertz),
            switch=analog_switch(fidelity.switch, switch, self.process),
            switch_on_ohm=on_resistance(fidelity.switch, switch, self.process),
            multiplier=multiplier(
                fidelity.multiplier, -1.0, MultiplierSpec.of_supply(supply), self.process
            ),
            process=self.process if fidelity.needs_process else None,
            score_weights=tuple(network.weight for network in self._mapped) or (1.0,),
            converters=self._converters,
            reference=fidelity.reference,
            offset_volts=self._offset_volts,
            deviation=self._deviation,
            tolerances=config.tolerances,
            rises=config.rises,
            lags=self._lags,
            run_early_second=RUN_EARLY_SECOND if fidelity.switch is Fidelity.TRANSISTOR else 0.0,
        )

    @property
    def _lags(self) -> Lags:
        """Of the stages before the integrators' inputs. None where the score is in torch: it does
        not lag, and the multipliers alone by 0.2 % of the solve.
        """
        config, lag = self.config, 0.0
        if config.score == "torch":
            return Lags()
        if config.fidelity.multiplier is not Fidelity.IDEAL:
            spec = MultiplierSpec.of_supply(config.scaling.supply_volt)
            lag = multiplier_lag(spec, -1.0, self.process.QUAD_FACTOR)
        lags = {"state": lag}
        for kind, network in zip(SCORE_PARTS, self._mapped, strict=False):
            layers = network.layers[:-1] if config.score == "split" else network.layers
            lags[kind] = lag + score_lag(layers, config.fidelity)
        return Lags(lags)

    @property
    def _deviation(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """Of the noise that the network's output is divided by; None where by nothing."""
        network = self.problem.network.parts[0][1]
        if not isinstance(network, EpsilonNetwork):
            return None
        return lambda t: network.deviation(torch.from_numpy(t)).numpy()

    @property
    def _offset_volts(self) -> tuple[float, ...]:
        op_amp = self.config.op_amp
        if not op_amp.offset_volt:
            return ()
        draws = np.random.default_rng(op_amp.offset_seed).standard_normal(
            self.problem.network.states
        )
        return tuple(op_amp.offset_volt * draws)

    @property
    def _mapped(self) -> tuple[MappedNetwork, ...]:
        """Networks in the netlist; none where the score is stepped in torch."""
        return () if self.config.score == "torch" else self.programmed

    @cached_property
    def programmed(self) -> tuple[MappedNetwork, ...]:
        """The networks as conductances.

        Raises:
            ConfigurationError: a calibration of another number of outputs, or of another network.
        """
        fitted, states = self.config.calibration, self.problem.network.states
        if len(fitted.gains) not in (0, states):
            raise ConfigurationError(
                f"[calibration] has {len(fitted.gains)} gains, but the score has {states} outputs. "
                "Give one for each, as `cosim calibrate` does."
            )
        mapped = map_score(
            self.problem.network, self.config.window, fitted.gains, fitted.offsets_unit
        )
        return tuple(network.trimmed(fitted.biases_unit) for network in mapped)

    @cached_property
    def _converters(self) -> Converters | None:
        config = self.config
        return converters(
            config.fidelity.dac, config.scaling.supply_volt, self.process, config.noise.updates
        )

    def score_source(self, outside: ScoreSource | None) -> ScoreSource:
        """Layers in the netlist, if any, and `outside` for what is not."""
        if self.config.score == "torch":
            assert outside is not None
            return outside
        return self._score_in_netlist(outside)

    def _score_in_netlist(self, outside: ScoreSource | None) -> AnalogScore:
        supply = self.config.scaling.supply_volt
        op_amp = self.config.op_amp
        offsets = InputOffsets(op_amp.offset_volt, op_amp.offset_seed)
        blocks = score_blocks(self.config.fidelity, supply, self.process, self._converters, offsets)
        return AnalogScore(self.programmed, self.config.scaling, blocks, outside)

    def score_bench(self, t: float) -> str:
        """Netlist, without analysis, of the score network at one diffusion time: see
        `Solver.score_bench`.
        """
        networks = tuple(frozen(network, t) for network in self.programmed)
        score = replace(self._score_in_netlist(None), networks=networks)
        circuit = self.solver.score_bench(score)
        return f"{str(circuit).rstrip()}\n{Tolerances().line}"
