"""What a run left behind: its first solve beside the reference, its samples, figures and lines."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cosim.diffusion.config import RunConfig
from cosim.diffusion.plan import Plan
from cosim.diffusion.problem import TRUE_SAMPLES
from cosim.diffusion.score.metrics import kl_histogram, kl_pooled_histogram
from cosim.diffusion.verdict import Judge, Verdict, breach_lines, exceeded, table
from cosim.engine.worker import Statistics
from cosim.errors import ConfigurationError
from cosim.files import write_text
from cosim.report.solve import Solve
from cosim.simulation.recording import Member
from cosim.trace import Trace

KL_MINIMUM_SAMPLES = 50
MICRO = 1e6


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

    @property
    def lines(self) -> list[str]:
        """In words."""
        return [
            f"KL       circuit {self.kl_circuit:.4f}, software {self.kl_software:.4f} "
            f"nats ({len(self.circuit)} samples, 2-D histogram)",
            f"KL       circuit {self.pooled_circuit:.4f}, software "
            f"{self.pooled_software:.4f} nats (pooled histogram, as the paper's authors)",
            f"twins    a sample is at most {self.largest_distance:.5f} units from the "
            "software's from the same start",
        ]


@dataclass(frozen=True)
class Outcome:
    """What a run left behind.

    Attributes:
        folder: holds trace.h5, solver.cir, solve.png and, for an ensemble, cloud.png.
        solve: the first member beside its float64 reference.
        cloud: for ensembles of 50 samples or more.
        statistics: where the first member's wall time went; None if another run simulated it.
        size: of the netlist, in words.
        verdicts: of all members, by number.
        config: of the run.
    """

    folder: Path
    solve: Solve
    cloud: Cloud | None
    statistics: Statistics | None
    size: str
    verdicts: Sequence[Verdict]
    config: RunConfig

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
        worst = max(self.verdicts, key=lambda one: np.nan_to_num(one.error, nan=np.inf))
        members = len(self.verdicts)
        whose = f" and all {members} members: member {worst.member}, {worst.transistors}"
        lines = [
            f"error    {100 * worst.error:.4f} % of range, circuit against the float64 reference, "
            f"largest over the solve{whose if members > 1 else ''}",
            *(table(self.verdicts, self.config.process.temperature_celsius) if members > 1 else ()),
            *breach_lines(self.verdicts, self._repeat),
            f"size     {self.size}",
        ]
        if self.statistics is not None:
            lines.append(_steps_line(self.statistics))
        if self.cloud is not None:
            lines += self.cloud.lines
        lines.append(f"trace    {self.trace_path}")
        lines += [f"figure   {path}" for path in self.figures]
        return [*lines, f"netlist  {self.netlist_path}   (try: ngspice -b {self.netlist_path})"]

    @property
    def facts(self) -> dict[str, Any]:
        """The report as plain data; errors are parts of the reference's range."""
        cloud = self.cloud
        divergences = None if cloud is None else {
            name: getattr(cloud, name)
            for name in ("kl_circuit", "kl_software", "pooled_circuit", "pooled_software")
        }  # fmt: skip
        return {
            "trace": str(self.trace_path),
            "figures": [str(path) for path in self.figures],
            "netlist": str(self.netlist_path),
            "size": self.size,
            "members": [asdict(verdict) for verdict in self.verdicts],
            "statistics": self.statistics and asdict(self.statistics),
            "divergences_nat": divergences,
        }

    @property
    def _repeat(self) -> str:
        """The command of which `--member` repeats one alone."""
        if self.config.task.endswith(".py"):  # code that a trace names is not run
            return "the same command with"
        return f"cosim run {shlex.quote(str(self.trace_path))}"


def _steps_line(spent: Statistics) -> str:
    step = MICRO * spent.transient_second / spent.accepted_points
    block = MICRO * spent.block_second / spent.accepted_points
    accept = MICRO * spent.accept_second / spent.accepted_points
    return (
        f"steps    {spent.accepted_points} accepted, {step:.0f} us each (score {block:.0f} us, "
        f"recording {accept - block:.0f} us, rest ngspice and its source callbacks)"
    )


def report(judge: Judge, folder: Path, members: Sequence[Member]) -> Outcome:
    """Draw the figures, write the netlist, judge the members.

    Args:
        judge: has seen all members.
        folder: where the run's complete trace is.

    Raises:
        ConfigurationError: figures or netlist cannot be written.
        LimitError: members are beyond their limits; all is written.
    """
    plan, solve, config = judge.plan, judge.first, judge.plan.config
    assert solve is not None
    enough = config.ensemble.samples >= KL_MINIMUM_SAMPLES and config.ensemble.member is None
    outcome = Outcome(
        folder,
        solve,
        _cloud(plan, members) if enough else None,
        members[0].statistics,
        plan.netlist.size,
        [judge.verdicts[number] for number in range(len(members))],
        config,
    )
    netlist = plan.netlist
    if plan.blocks:
        netlist = plan.played_back(*_first_member(outcome.trace_path, plan))
    from cosim.report.figures import draw_solve  # matplotlib, which the simulation has no use for

    with _writing(outcome):
        write_text(outcome.netlist_path, str(netlist))
        draw_solve(solve, _title(config), folder / "solve.png")
        if outcome.cloud is not None:
            _draw_cloud(plan, outcome.cloud, folder / "cloud.png")
    if any(verdict.breaches for verdict in outcome.verdicts):
        raise exceeded(outcome.verdicts, outcome.trace_path, outcome.lines, outcome.facts)
    return outcome


def _first_member(path: Path, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Times [points] and score voltages [points, states] of the first member."""
    names = [f"score.{index}" for index in range(plan.problem.network.states)]
    with Trace.open(path) as trace:
        first = trace.member(0) if trace.members is not None else trace
        return first.time_second, np.stack([first[name].values for name in names], axis=1)


def _title(config: RunConfig) -> str:
    where = (
        "score network in the netlist"
        if config.score == "analog"
        else f"{'score' if config.score == 'torch' else 'last layer'} in torch, "
        f"{config.coupling.scheme}"
    )
    return f"{config.task}, {config.equation.upper()}: {config.fidelity.summary}; {where}"


def _cloud(plan: Plan, members: Sequence[Member]) -> Cloud:
    circuit = plan.units(np.array([member.final_values for member in members]))
    software, true = plan.problem.software_samples(), plan.problem.true_samples()
    limit = plan.problem.task.plot_limit
    return Cloud(
        circuit,
        np.tile(software, (len(plan.config.variants), 1)),
        kl_histogram(circuit, true, limit),
        kl_histogram(software, true, limit),
        kl_pooled_histogram(circuit, true),
        kl_pooled_histogram(software, true),
    )


def _draw_cloud(plan: Plan, cloud: Cloud, path: Path) -> None:
    from cosim.report.figures import draw_cloud

    equation = plan.config.equation.upper()
    panels = [
        (f"circuit, KL {cloud.kl_circuit:.3f}", cloud.circuit),
        (f"software {equation}, KL {cloud.kl_software:.3f}", cloud.software),
    ]
    true = plan.problem.true_samples()[: TRUE_SAMPLES // 50]
    draw_cloud(panels, true, plan.problem.task.plot_limit, path)


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
