"""A run, end to end: model -> mapping -> circuit -> engine -> trace -> figures."""

import itertools
import math
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from cosim.circuits.analog_switch import AnalogSwitchSpec, analog_switch, on_resistance
from cosim.circuits.dac import Converters, converters
from cosim.circuits.multiplier import MultiplierSpec, multiplier
from cosim.circuits.noise import WienerNoise
from cosim.circuits.opamp import OpAmpSpec, op_amp
from cosim.diffusion.circuit.mapping import MappedNetwork, frozen, map_score
from cosim.diffusion.circuit.score_network import score_blocks
from cosim.diffusion.circuit.solver import (
    PRECHARGE_SWITCHES,
    AnalogScore,
    PlaybackScore,
    ScoreSource,
    Solver,
    activation_node,
)
from cosim.diffusion.config import RunConfig, merge, parse, run_values
from cosim.diffusion.score.block import (
    ReadNoiseFunction,
    ScoreFunction,
    last_layer_block,
    score_block,
)
from cosim.diffusion.score.compiled import CompiledScore
from cosim.diffusion.score.metrics import kl_histogram, kl_pooled_histogram
from cosim.diffusion.score.network import ConditionalScoreNetwork, GuidedScore, Score, ScoreNetwork
from cosim.diffusion.score.sampling import (
    driven_euler,
    driven_solution,
    held_noise_solution,
    heun,
    initial_states,
    noise_draws,
    reference_solution,
)
from cosim.diffusion.score.sde import VariancePreserving
from cosim.diffusion.score.store import ModelCard, load_model
from cosim.diffusion.score.tasks import Task, get_task
from cosim.engine.ensemble import Executor, Retried, run_ensemble
from cosim.engine.library import find_library, probe
from cosim.engine.worker import (
    GIBI,
    Failed,
    Finished,
    Message,
    Points,
    Simulation,
    Started,
    Statistics,
    WorkerPool,
)
from cosim.errors import ConfigurationError, CosimError, EngineError, ModelError
from cosim.files import make_folder, write_text
from cosim.lockstep.exchange import through_files
from cosim.lockstep.lockstep import Block, Stepping
from cosim.netlist.netlist import Netlist
from cosim.process.process import Process, find_process
from cosim.report.figures import Solve, draw_cloud, draw_solve
from cosim.simulation.resume import resumed
from cosim.trace import Provenance, Trace, TraceWriter
from cosim.trace import Signal as TraceSignal

Progress = Callable[[float, str], None]
"""(fraction done, what is being done)."""

RUNS = Path("results/runs")
TRUE_SAMPLES = 100_000
SOFTWARE_STEPS = 1_000
KL_MINIMUM_SAMPLES = 50
COPIED_POINTS = 8192
MICRO = 1e6
STATE = "integrator_{}.out"


def default_output(config: RunConfig) -> Path:
    """Where a run goes unless told otherwise: a folder of its own."""
    return RUNS / config.name


@dataclass
class _Member:
    """What is kept of a member in memory; all else is in the trace."""

    last_time_second: float = 0.0
    final_volts: np.ndarray | None = None
    points: list[Points] = field(default_factory=list)
    statistics: Statistics | None = None


@dataclass(frozen=True)
class Cloud:
    """Samples of an ensemble and how far they are from the truth.

    Attributes:
        circuit, software: final states [members, states]; software: of the same network from the
            same initial conditions in float64, by Heun's method or, for the SDE, by Euler-Maruyama
            with the same noise.
        kl_circuit, kl_software: KL to the true distribution in nats, of 2-D histograms.
        pooled_circuit, pooled_software: the same as the paper's authors compute it.
    """

    circuit: np.ndarray
    software: np.ndarray
    kl_circuit: float
    kl_software: float
    pooled_circuit: float
    pooled_software: float

    @property
    def largest_distance(self) -> float:
        """Largest distance between a circuit's sample and its software twin, units of x."""
        return float(np.linalg.norm(self.circuit - self.software, axis=1).max())


@dataclass(frozen=True)
class Outcome:
    """What a run left behind.

    Attributes:
        folder: holds trace.h5, solver.cir, solve.png and, for an ensemble, cloud.png.
        solve: the first member beside its float64 reference.
        cloud: for ensembles of 50 samples or more.
        statistics: where the first member's wall time went; None if another run simulated it.
        size: of the netlist, in words.
    """

    folder: Path
    solve: Solve
    cloud: Cloud | None
    statistics: Statistics | None
    size: str

    @property
    def trace(self) -> Trace:
        """The recorded trace, read lazily."""
        return Trace.open(self.trace_path)

    @property
    def trace_path(self) -> Path:
        """The HDF5 trace."""
        return self.folder / "trace.h5"

    @property
    def figures(self) -> list[Path]:
        """The pictures."""
        return [self.folder / name for name in ("solve.png", "cloud.png")[: 1 + bool(self.cloud)]]

    @property
    def netlist_path(self) -> Path:
        """The first member's netlist, ready for plain `ngspice -b`."""
        return self.folder / "solver.cir"

    @property
    def lines(self) -> list[str]:
        """The report, a line each."""
        lines = [
            f"error    {100 * self.solve.relative_error:.4f} % of range, circuit against the "
            "float64 reference, largest over the solve",
            f"size     {self.size}",
        ]
        if self.statistics is not None:
            spent = self.statistics
            step = MICRO * spent.transient_second / spent.accepted_points
            block = MICRO * spent.block_second / spent.accepted_points
            accept = MICRO * spent.accept_second / spent.accepted_points
            lines.append(
                f"steps    {spent.accepted_points} accepted, {step:.0f} us each (score "
                f"{block:.0f} us, recording {accept - block:.0f} us, rest ngspice and its source "
                "callbacks)"
            )
        if self.cloud is not None:
            cloud = self.cloud
            lines += [
                f"KL       circuit {cloud.kl_circuit:.4f}, software {cloud.kl_software:.4f} "
                f"nats ({len(cloud.circuit)} samples, 2-D histogram)",
                f"KL       circuit {cloud.pooled_circuit:.4f}, software "
                f"{cloud.pooled_software:.4f} nats (pooled histogram, as the paper's authors)",
                f"twins    a sample is at most {cloud.largest_distance:.5f} units from the "
                "software's from the same start",
            ]
        lines.append(f"trace    {self.trace_path}")
        lines += [f"figure   {path}" for path in self.figures]
        return [*lines, f"netlist  {self.netlist_path}   (try: ngspice -b {self.netlist_path})"]


@dataclass(frozen=True)
class Run:
    """One configured run."""

    config: RunConfig
    model_folder: Path | None = None
    """Transistor models as the netlist names them; by default where they are installed."""

    variant: int = 0
    """Which of `RunConfig.variants` the netlist has."""

    @classmethod
    def from_toml(cls, path: str | Path, overrides: dict[str, object] | None = None) -> "Run":
        """Read a run file; `overrides` are nested tables put over it.

        Raises:
            ConfigurationError: it does not describe a run.
        """
        path = Path(path)
        values = run_values(path)
        return cls(parse(merge(values, overrides or {}), f"The run file {path}"))

    @classmethod
    def from_trace(cls, trace: Trace) -> "Run":
        """The run that left a trace, by its provenance.

        Raises:
            ConfigurationError: it was no run of this program, or of another version; or its task
                is a Python file, which no trace may have run.
        """
        config = parse(tomllib.loads(trace.provenance.configuration_toml), str(trace.path))
        if config.task.endswith(".py"):
            raise ConfigurationError(
                f"The task of {trace.path} is the Python file {config.task}, and code that a trace "
                "names is not run. Use a task of this package."
            )
        return cls(config)

    @cached_property
    def task(self) -> Task:
        """The task, or ConfigurationError."""
        return get_task(self.config.task)

    @cached_property
    def _model(self) -> tuple[ScoreNetwork, ModelCard]:
        return load_model(self.task)

    @property
    def model_sha256(self) -> str:
        """Of the trained weights."""
        return self._model[1].sha256

    @cached_property
    def network(self) -> Score:
        """The trained score in float64, with the run's condition and guidance.

        Raises:
            ConfigurationError: a condition that the task does not have.
        """
        network, condition = self._model[0], self.config.condition
        if condition.label is None:
            return network
        label = self.task.label(condition.label)
        assert isinstance(network, ConditionalScoreNetwork)  # as the task has classes
        if condition.guidance:
            return GuidedScore(network, label, condition.guidance)
        return network.given(label)

    @cached_property
    def process(self) -> Process:
        """The transistors at the variant's corner or draw, and the run's temperature."""
        process, variant = self.config.process, self.config.variants[self.variant]
        return find_process(process.name)(
            variant.corner, process.temperature_celsius, variant.monte_carlo_seed, self.model_folder
        )

    @property
    def circuit_sde(self) -> VariancePreserving:
        """The diffusion that the circuit solves.

        Raises:
            ConfigurationError: the task has one of another kind.
        """
        sde = self.task.sampling_sde
        if type(sde) is not VariancePreserving:
            raise ConfigurationError(
                f"Task '{self.task.name}' has the diffusion {type(sde).__name__}, but the circuit "
                "solves the variance-preserving one. Train the task with VariancePreserving; the "
                "software's samplers take the others."
            )
        return sde

    @cached_property
    def solver(self) -> Solver:
        """The circuit generator."""
        config, sde = self.config, self.circuit_sde
        supply, fidelity = config.scaling.supply_volt, config.fidelity
        switch = AnalogSwitchSpec(supply_volt=supply)
        return Solver(
            states=self.network.states,
            scaling=config.scaling,
            beta_start=sde.beta_max,
            beta_end=sde.beta_min,
            output_gain=self.network.output_gain,
            op_amp=op_amp(
                fidelity.opamp,
                OpAmpSpec(supply_volt=supply, topology=config.op_amp.topology),
                self.process,
            ),
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
        )

    @property
    def _offset_volts(self) -> tuple[float, ...]:
        op_amp = self.config.op_amp
        if not op_amp.offset_volt:
            return ()
        draws = np.random.default_rng(op_amp.offset_seed).standard_normal(self.network.states)
        return tuple(op_amp.offset_volt * draws)

    @cached_property
    def _mapped(self) -> tuple[MappedNetwork, ...]:
        """Networks in the netlist; none where the score is stepped in torch."""
        return () if self.config.score == "torch" else self._programmed

    @cached_property
    def _programmed(self) -> tuple[MappedNetwork, ...]:
        """The networks as conductances."""
        fitted = self.config.calibration
        if len(fitted.gains) not in (0, self.network.states):
            raise ConfigurationError(
                f"[calibration] has {len(fitted.gains)} gains, but the score has "
                f"{self.network.states} outputs. Give one for each, as `cosim calibrate` does."
            )
        return map_score(self.network, self.config.window, fitted.gains, fitted.offsets_unit)

    @cached_property
    def _converters(self) -> Converters | None:
        config = self.config
        return converters(
            config.fidelity, config.scaling.supply_volt, self.process, config.noise.updates
        )

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """What is stepped in lockstep: the score, unless it is in the netlist."""
        return self._blocks_of(0)

    def _blocks_of(self, sample: int) -> tuple[Block, ...]:
        if self.config.score == "analog":
            return ()
        scaling, (states, scores) = self.config.scaling, self.solver.ports
        if self.config.score == "torch":
            return (score_block(self._score_function(sample), states, scores),)
        network = self.network
        assert isinstance(network, ScoreNetwork)  # as there is no guidance
        units = range(network.weights_and_biases()[-1][0].shape[1])
        return (last_layer_block(network, scaling, tuple(map(activation_node, units)), scores),)

    def _score_function(self, sample: int) -> ScoreFunction:
        """The score in torch: the network's, or as its arrays are programmed and read."""
        window, scaling = self.config.window, self.config.scaling
        if not window.read_noise:
            exact = CompiledScore.of(self.network)
            score = exact if window.exact else CompiledScore.read(self._programmed)
            return ScoreFunction(score, scaling)
        seed = (self.config.ensemble.seed, sample)
        updates = self.config.noise.updates
        return ReadNoiseFunction(self._programmed, scaling, window.read_noise, updates, seed)

    @cached_property
    def initial_states(self) -> np.ndarray:
        """Draws from N(0, I) [samples, states]."""
        ensemble = self.config.ensemble
        return initial_states(ensemble.samples, self.network.states, ensemble.seed).numpy()

    def reference(
        self, sample: int, tau: np.ndarray, noise_volts: np.ndarray | None = None
    ) -> np.ndarray:
        """The same equation, from the same state and with the same noise, solved in float64
        [times, states].

        Args:
            noise_volts: of the noise sources against the analog ground [times, states], where
                they are ngspice's own.
        """
        state, sde, noise = self.initial_states[sample], self.task.sampling_sde, self._noise(sample)
        if noise is None:
            return reference_solution(self.network, sde, state, tau)
        if noise.draws is not None:
            return held_noise_solution(self.network, sde, state, tau, noise.draws)
        assert noise_volts is not None
        rates = np.sqrt(noise.updates) * noise_volts / self.config.scaling.volt_per_unit
        return driven_solution(self.network, sde, state, tau, rates)

    def _noise(self, sample: int) -> WienerNoise | None:
        if self.config.equation == "ode":
            return None
        own = self.config.noise.source == "transient"
        return WienerNoise(self.config.noise.updates, None if own else self.draws(sample))

    def draws(self, sample: int) -> np.ndarray | None:
        """A sample's noise [updates, states]; None for the probability-flow equation."""
        if self.config.equation == "ode":
            return None
        return noise_draws(
            sample, self.config.noise.updates, self.network.states, self.config.ensemble.seed
        )

    @cached_property
    def netlist(self) -> Netlist:
        """The first member's netlist, as the engine simulates it."""
        return self._netlist_with(self._score_source)

    @cached_property
    def _score_source(self) -> ScoreSource:
        outside = self.blocks[0].port(self.config.coupling.scheme) if self.blocks else None
        return self._score_with(outside)

    def _score_with(self, outside: ScoreSource | None) -> ScoreSource:
        """Layers in the netlist, if any, and `outside` for what is not."""
        if self.config.score == "torch":
            assert outside is not None
            return outside
        return self._score_in_netlist(outside)

    def _score_in_netlist(self, outside: ScoreSource | None) -> AnalogScore:
        supply = self.config.scaling.supply_volt
        blocks = score_blocks(self.config.fidelity, supply, self.process, self._converters)
        return AnalogScore(self._programmed, self.config.scaling, blocks, outside)

    def score_bench(self, t: float) -> str:
        """Netlist, without analysis, of the score network at one diffusion time: see
        `Solver.score_bench`.
        """
        networks = tuple(frozen(network, t) for network in self._programmed)
        score = replace(self._score_in_netlist(None), networks=networks)
        circuit = self.solver.score_bench(score)
        return f"{str(circuit).rstrip()}\n{self.netlist.tolerances.line}"

    def _netlist_with(self, score: ScoreSource, sample: int = 0) -> Netlist:
        step, state = self.config.coupling.step_second, self.initial_states[sample]
        return self.solver.netlist(state, score, step, self._noise(sample))

    def _initial_inputs(self, state: np.ndarray) -> tuple[float, ...]:
        """Voltages of the blocks' inputs at tau = 0."""
        if not self.blocks:
            return ()
        if self.config.score == "split":
            network = self.network
            assert isinstance(network, ScoreNetwork)
            with torch.inference_mode():
                hidden, _ = network.hidden_and_raw(torch.from_numpy(state), torch.ones(()).double())
            state = hidden[-1].numpy()
        return tuple(self.config.scaling.node_volt(state))

    @property
    def _stepping(self) -> Stepping:
        coupling = self.config.coupling
        if not self.blocks:
            return Stepping()
        return Stepping(coupling.tolerance_volt, coupling.communication_second)

    def simulations(self) -> Iterator[Simulation]:
        """One for each member: all samples of one variant of the transistors after another."""
        members = itertools.count()
        for variant in range(len(self.config.variants)):
            for simulation in replace(self, variant=variant)._samples():
                yield replace(simulation, member=next(members))

    def _samples(self) -> Iterator[Simulation]:
        """Samples of the probability-flow equation share the netlist's text and differ in initial
        conditions; those of the SDE have noise of their own too.
        """
        shared, scaling = str(self.netlist), self.config.scaling
        for sample, state in enumerate(self.initial_states):
            own = self.config.equation == "sde"
            yield Simulation(
                member=sample,
                netlist=str(self._netlist_with(self._score_source, sample)) if own else shared,
                stop_second=scaling.stop_second,
                saved=tuple(signal.vector for signal in self.netlist.signals),
                sources=self.solver.initial_volts(state),
                blocks=self._blocks_of(sample) if self.config.window.read_noise else self.blocks,
                scheme=self.config.coupling.scheme,
                initial_volts=self._initial_inputs(state),
                stepping=self._stepping,
            )

    def execute(
        self,
        folder: Path | None = None,
        *,
        overwrite: bool = False,
        resume: bool = False,
        on_progress: Progress = lambda fraction, what: None,
    ) -> Outcome:
        """Simulate every member, record the trace, draw the figures, write the netlist.

        Args:
            folder: made if it is not there; `default_output` if not given.
            overwrite: replace a run that is in the folder.
            resume: go on with an unfinished run that is in the folder: what it has is copied, and
                each unfinished member starts at its last point.
            on_progress: called often.

        Raises:
            ConfigurationError, ModelError, NetlistError, TraceError: before anything is run.
            EngineError: members failed; what they recorded before is in the trace.
            KeyboardInterrupt: after the trace has been finished as 'interrupted'.
        """
        folder = folder or default_output(self.config)
        self._check_members()
        provenance = self._provenance()
        make_folder(folder)
        members = [_Member() for _ in self.config.variants for _ in self.initial_states]
        ensemble = len(members) if len(members) > 1 else None
        with ExitStack() as stack:
            before = stack.enter_context(Predecessor(folder / "trace.h5")) if resume else None
            if before is not None:
                self._check_same_run(before.trace)
            executor = stack.enter_context(self._executor(len(members)))
            writer = stack.enter_context(
                TraceWriter.create(
                    folder / "trace.h5" if before is None else before.successor_path,
                    signals=[
                        TraceSignal(signal.name, signal.unit, signal.description)
                        for signal in self.netlist.signals
                    ],
                    coupling=self._coupling_signals(),
                    provenance=provenance,
                    members=ensemble,
                    overwrite=overwrite or resume,
                )
            )
            self._record_variants(writer)
            remaining = self.simulations()
            if before is not None:
                remaining = iter(self._take_up(before, members, writer))
            failures, retried = [], set()
            for message in self._messages(executor, remaining, folder):
                if isinstance(message, Retried):
                    retried.add(message.member)
                if isinstance(message, Started):
                    # What was sent by an attempt that failed no longer counts.
                    if message.member in retried:
                        members[message.member] = _Member()
                        writer.restart(message.member if ensemble else None)
                        if before is not None:
                            self._copy(before, message.member, members, writer)
                    continue
                member = members[message.member]
                self._record(writer, message, member, ensemble is not None)
                if isinstance(message, Failed):
                    failures.append(message)
                done = sum(one.last_time_second for one in members) / len(members)
                on_progress(done / self.config.scaling.stop_second, self._doing(members))
            if failures:
                error = _joined(failures, len(members))
                writer.finish("failed", str(error))
                raise error
            writer.finish()
        return self._report(folder, members, on_progress)

    def _messages(
        self, executor: Executor, simulations: Iterator[Simulation], folder: Path
    ) -> Iterator[Message]:
        if self.config.coupling.exchange == "process":
            return run_ensemble(executor, simulations)
        # A server answers one attempt: there is no second one.
        patience_second = self.config.engine.server_timeout_second
        return executor.run(through_files(one, folder, patience_second) for one in simulations)

    def _check_same_run(self, before: Trace) -> None:
        """Refuse to go on with another run's trace."""
        if before.complete:
            raise ConfigurationError(
                f"{before.path} is complete: there is nothing to resume. Give --force to run it "
                "again."
            )
        recorded = Run.from_trace(before).config
        same = recorded.model_copy(update={"engine": self.config.engine}) == self.config
        if not same or before.provenance.netlist != str(self.netlist):
            raise ConfigurationError(
                f"{before.path} is of another run: its configuration or netlist differs from this "
                "one's. Resume with the same run file and options, or give --force to start anew."
            )

    def _take_up(
        self, before: "Predecessor", members: list[_Member], writer: TraceWriter
    ) -> list[Simulation]:
        """Copy what was recorded; what remains to be simulated."""
        remaining = []
        ensemble = len(members) > 1
        for simulation in self.simulations():
            number = simulation.member
            self._copy(before, number, members, writer)
            at_second, final_volts = members[number].last_time_second, members[number].final_volts
            if math.isclose(at_second, simulation.stop_second, rel_tol=1e-9):
                if ensemble:
                    writer.finish_member(number)
                continue
            if final_volts is not None and at_second > self.config.scaling.precharge_second:
                state = self.units(final_volts[None], "integrator_{}.out")[0]
                simulation = resumed(
                    simulation,
                    at_second,
                    self.config.scaling.precharge_second,
                    self.solver.initial_volts(state),
                    PRECHARGE_SWITCHES,
                )
                writer.event(at_second, "resumed", "", number if ensemble else None)
            remaining.append(simulation)
        before.taken_up = True
        return remaining

    def _copy(
        self, before: "Predecessor", number: int, members: list[_Member], writer: TraceWriter
    ) -> None:
        recorded = before.trace.member(number) if len(members) > 1 else before.trace
        for points in self._recorded(number, recorded):
            self._record(writer, points, members[number], len(members) > 1)

    def _recorded(self, member: int, trace: Trace) -> Iterator[Points]:
        """What a trace holds of a member, as its worker sent it."""
        crossed = [signal.name for signal in self._coupling_signals()]
        # Points and what crossed the interface are sent together; a kill may part the last ones.
        count = min(trace.points, trace.coupling.points) if crossed else trace.points
        for first in range(0, count, COPIED_POINTS):
            rows = slice(first, min(first + COPIED_POINTS, count))
            values = [trace.read(signal.name, rows) for signal in self.netlist.signals]
            coupled = [trace.coupling.read(name, rows) for name in crossed]
            inputs = sum(len(block.inputs) for block in self.blocks)
            outputs = sum(len(block.outputs) for block in self.blocks)
            yield Points(
                member,
                trace.read("time", rows),
                np.stack(values, axis=1),
                *(
                    np.stack(coupled[part], axis=1) if crossed else np.empty((len(values[0]), 0))
                    for part in (
                        slice(inputs),
                        slice(inputs, inputs + outputs),
                        slice(inputs + outputs, None),
                    )
                ),
            )

    def _executor(self, members: int) -> Executor:
        engine = self.config.engine
        memory_byte = None if engine.memory_gibibyte is None else engine.memory_gibibyte * GIBI
        timeout_second = engine.timeout_second
        if self.config.coupling.exchange == "file":
            timeout_second += 2 * engine.server_timeout_second  # to come, and to answer
        if engine.scheduler is None:
            return WorkerPool(min(engine.jobs, members), timeout_second, memory_byte)
        from cosim.engine.cluster import ClusterPool  # needs a package of the extra `cluster`

        return ClusterPool(engine.scheduler, timeout_second, memory_byte)

    def _check_members(self) -> None:
        for variant in range(len(self.config.variants)):
            _ = replace(self, variant=variant).process  # refuses an unknown corner
        steps = self.config.scaling.solve_second / self.config.coupling.step_second
        if steps < 1:
            raise ConfigurationError(
                f"The coupling step {self.config.coupling.step_second:g} s is longer than the "
                f"solve, {self.config.scaling.solve_second:g} s. Choose `step_second` below it."
            )

    def _provenance(self) -> Provenance:
        return Provenance.collect(
            configuration_toml=self.config.to_toml(),
            netlist=str(self.netlist),
            seeds={"ensemble": self.config.ensemble.seed, "training": self._model[1].seed},
            ngspice_version=str(probe(find_library()).version),
            model_sha256=self.model_sha256,
        )

    def _coupling_signals(self) -> list[TraceSignal]:
        inputs = [node for block in self.blocks for node in block.inputs]
        outputs = [node for block in self.blocks for node in block.outputs]
        described = [("input", node, "accepted voltage, to the block") for node in inputs]
        described += [("output", node, "applied voltage, from the block") for node in outputs]
        described += [("error", node, "applied minus the block's value there") for node in outputs]
        return [TraceSignal(f"{what}.{node}", "V", text) for what, node, text in described]

    def _record_variants(self, writer: TraceWriter) -> None:
        """Note of each member what its transistors are, where they differ."""
        if len(self.config.variants) > 1:
            of_members = itertools.product(self.config.variants, self.initial_states)
            for number, (variant, _) in enumerate(of_members):
                writer.event(0.0, "process", variant.description, number)

    def _record(
        self, writer: TraceWriter, message: Message, member: _Member, ensemble: bool
    ) -> None:
        number = message.member if ensemble else None
        if isinstance(message, Points):
            writer.append(message.time_second, message.values, number)
            if self.blocks:
                crossed = np.hstack([message.inputs, message.outputs, message.errors])
                writer.append_coupling(message.time_second, crossed, number)
            member.last_time_second = float(message.time_second[-1])
            member.final_volts = message.values[-1]
            if message.member == 0:
                member.points.append(message)
        elif isinstance(message, Finished):
            member.statistics = message.statistics
            if number is not None:
                writer.finish_member(number)
        elif isinstance(message, Retried):
            writer.event(member.last_time_second, "retried", str(message.error), number)
        elif isinstance(message, Failed):
            writer.event(member.last_time_second, "failed", str(message.error), number)
            if number is not None:
                writer.finish_member(number, "failed")

    def _doing(self, members: list[_Member]) -> str:
        finished = sum(member.statistics is not None for member in members)
        if len(members) == 1:
            return f"t = {MICRO * members[0].last_time_second:.1f} us"
        return f"{finished} of {len(members)} solves"

    # -- what comes after the simulation -----------------------------------------------------

    def _report(self, folder: Path, members: list[_Member], on_progress: Progress) -> Outcome:
        on_progress(1.0, "reference and figures")
        first = members[0]
        time_second = np.concatenate([part.time_second for part in first.points])
        values = np.concatenate([part.values for part in first.points])
        scaling = self.config.scaling
        solve = Solve(
            time_second,
            self.units(values),
            self.reference(0, scaling.tau(time_second), self._noise_volts(values)),
            scaling.precharge_second,
        )  # fmt: skip
        enough = self.config.ensemble.samples >= KL_MINIMUM_SAMPLES
        cloud = self._cloud(members) if enough else None
        outcome = Outcome(folder, solve, cloud, first.statistics, self.netlist.size)
        netlist = self.netlist
        if self.blocks:
            score_volts = values[:, self._columns("score.{}")]
            netlist = self._netlist_with(self._score_with(PlaybackScore(time_second, score_volts)))
        with _writing(outcome):
            write_text(outcome.netlist_path, str(netlist))
            draw_solve(solve, self._title(), folder / "solve.png")
            if cloud is not None:
                self._draw_cloud(cloud, folder / "cloud.png")
        return outcome

    def units(self, values: np.ndarray, pattern: str = STATE) -> np.ndarray:
        """What recorded node volts [points, signals] stand for against the analog ground [points,
        states]; `pattern` names the signals, one for each state.
        """
        names = [signal.name for signal in self.netlist.signals]
        volts = values[:, self._columns(pattern)] - values[:, [names.index("reference.out")]]
        return volts / self.config.scaling.volt_per_unit

    def _noise_volts(self, values: np.ndarray) -> np.ndarray | None:
        if self.config.equation == "ode":
            return None
        return self.units(values, "noise.{}") * self.config.scaling.volt_per_unit

    def _columns(self, pattern: str) -> list[int]:
        names = [signal.name for signal in self.netlist.signals]
        return [names.index(pattern.format(index)) for index in range(self.network.states)]

    def _title(self) -> str:
        config = self.config
        where = (
            "score network in the netlist"
            if config.score == "analog"
            else f"{'score' if config.score == 'torch' else 'last layer'} in torch, "
            f"{config.coupling.scheme}"
        )
        return f"{config.task}, {config.equation.upper()}: {config.fidelity.summary}; {where}"

    def true_samples(self) -> np.ndarray:
        """Draws of the true distribution, of the run's class if it has one [draws, states]."""
        generator = torch.Generator().manual_seed(self.config.ensemble.seed)
        label, sample_class = self.config.condition.label, self.task.sample_class
        if label is None or sample_class is None:
            return self.task.sample(TRUE_SAMPLES, generator).double().numpy()
        return sample_class(self.task.label(label), TRUE_SAMPLES, generator).double().numpy()

    def software_samples(self) -> np.ndarray:
        """Final states of the same network from the same initial conditions in float64, by Heun's
        method or, for the SDE, by Euler-Maruyama with the same noise [samples, states].
        """
        start = torch.from_numpy(self.initial_states)
        noise = [draws for draws in map(self.draws, range(len(start))) if draws is not None]
        if noise:
            driven = torch.from_numpy(np.stack(noise, axis=1))
            return driven_euler(self.network, self.task.sampling_sde, start, driven).numpy()
        return heun(self.network, self.task.sampling_sde, start, SOFTWARE_STEPS).numpy()

    def _cloud(self, members: list[_Member]) -> Cloud:
        final = np.array([member.final_volts for member in members])
        circuit = self.units(final)
        software = self.software_samples()
        true = self.true_samples()
        return Cloud(
            circuit,
            np.tile(software, (len(self.config.variants), 1)),
            kl_histogram(circuit, true, self.task.plot_limit),
            kl_histogram(software, true, self.task.plot_limit),
            kl_pooled_histogram(circuit, true),
            kl_pooled_histogram(software, true),
        )

    def _draw_cloud(self, cloud: Cloud, path: Path) -> None:
        equation = self.config.equation.upper()
        panels = [
            (f"circuit, KL {cloud.kl_circuit:.3f}", cloud.circuit),
            (f"software {equation}, KL {cloud.kl_software:.3f}", cloud.software),
        ]
        true = self.true_samples()[: TRUE_SAMPLES // 50]
        draw_cloud(panels, true, self.task.plot_limit, path)


def served_block(folder: Path) -> Block:
    """What a run with `exchange = "file"` in this folder has in lockstep, to serve it.

    Raises:
        TraceError, ConfigurationError: its trace cannot be read, or is of another program.
        ModelError: the score model here is not the one of the run.
    """
    with Trace.open(folder / "trace.h5") as trace:
        run = Run.from_trace(trace)
        if run._model[1].sha256 != trace.provenance.model_sha256:
            raise ModelError(
                f"The score model of task '{run.config.task}' here is not the one that "
                f"{trace.path} was begun with: their SHA-256 differ. Copy the model from there, "
                "or run again."
            )
    return run.blocks[0]


def _joined(failures: list[Failed], members: int) -> CosimError:
    first = failures[0]
    if members == 1:
        return first.error
    return EngineError(
        f"{len(failures)} of {members} members failed; the others are complete in the trace. "
        f"Member {first.member}: {first.error}"
    )


class Predecessor:
    """An unfinished trace, and the one that takes its place once it holds all of it.

    Raises:
        TraceError: there is none, or it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.trace = Trace.open(path)
        self.successor_path = path.with_name("trace.resuming.h5")
        self.taken_up = False

    def __enter__(self) -> "Predecessor":
        return self

    def __exit__(self, *exception: object) -> None:
        self.trace.close()
        if self.taken_up:
            self.successor_path.replace(self.trace.path)


@contextmanager
def _writing(outcome: Outcome) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"The run is complete in {outcome.trace_path}, but its figure or netlist cannot be "
            f"written to {outcome.folder}: {error.strerror}. Make space there, and run again "
            "with --force."
        ) from None
