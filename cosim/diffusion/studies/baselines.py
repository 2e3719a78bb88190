"""What the same samples cost on a processor: three baselines, each measured on this machine.

A framework one sample at a time (what published comparisons time), the same sampler compiled one
at a time, and compiled in batches; float64 the first, float32 the others, each on one core.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from cosim.diffusion.problem import Problem
from cosim.diffusion.score.compiled_sampler import LANES, CompiledSampler, in_batches, one_by_one
from cosim.diffusion.score.metrics import HistogramKl
from cosim.diffusion.score.sampling import driven_euler, heun, initial_states
from cosim.diffusion.studies.study import Workspace

CASES: dict[str, dict[str, Any]] = {
    "ring, ODE": {"task": "circle", "equation": "ode"},
    "ring, SDE": {"task": "circle", "equation": "sde"},
    "letters, ODE": {"task": "letters", "equation": "ode", "condition": {"label": "H"}},
    "letters, SDE": {"task": "letters", "equation": "sde", "condition": {"label": "H"}},
}
"""Unconditional and conditional, the condition included."""

STEPS = (1, 2, 3, 5, 7, 10, 14, 20, 30, 50, 100, 200)
NEAR = 1.1
SAMPLES = 2 * LANES
REPEATS, TIMED = 15, 20 * LANES
BASELINES = ("framework, one by one", "compiled, one by one", "compiled, in batches")


@dataclass(frozen=True)
class Timed:
    """Seconds of a sample: the least of many repeats, as others use the machine too, and spread."""

    least: float
    median: float
    most: float


def sampler_of(problem: Problem, steps: int) -> CompiledSampler:
    """The digital sampler of a run's equation."""
    network = problem.network
    reverse = problem.config.equation == "sde"
    return CompiledSampler(network, problem.task.sampling_sde, steps, reverse)  # type: ignore[arg-type]


def starts(problem: Problem, count: int, seed: int) -> np.ndarray:
    """Initial states as the kernels take them [count, states], float32."""
    drawn = problem.task.start_deviation * initial_states(count, problem.network.states, seed)
    return drawn.numpy().astype(np.float32)


def samples_of(problem: Problem, steps: int, count: int, seed: int) -> np.ndarray:
    """Samples by the compiled sampler [count, states]."""
    sampler, whole = sampler_of(problem, steps), -(-count // LANES) * LANES
    states = starts(problem, whole, seed)
    arguments = (*sampler.tables(), sampler.draws(whole, seed), states)
    in_batches(*arguments)
    return states[:count].astype(float)


def kl_by_steps(problem: Problem, seeds: int) -> dict[int, tuple[float, float]]:
    """KL of 512 samples by steps: mean and deviation over seeds."""
    distance = HistogramKl(problem.true_samples(), problem.task.plot_limit)
    found = {}
    for steps in STEPS:
        kl = [distance(samples_of(problem, steps, SAMPLES, seed)) for seed in range(seeds)]
        found[steps] = float(np.mean(kl)), float(np.std(kl, ddof=1))
    return found


def steps_needed(kl: dict[int, tuple[float, float]]) -> int:
    """Fewest steps from which on the mean KL is within 1.1 of that of the most steps."""
    steps = sorted(kl)
    needed = steps[-1]
    for fewer in reversed(steps):
        if kl[fewer][0] > NEAR * kl[steps[-1]][0]:
            break
        needed = fewer
    return needed


def timed(work: Callable[[], object], samples: int, repeats: int) -> Timed:
    """Time of a sample in work that makes so many, as one core is busy with it (others may use the
    machine too); the first call, which compiles, is not timed.
    """
    work()
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        taken.append((time.process_time() - started) / samples)
    return Timed(min(taken), float(np.median(taken)), max(taken))


def compiled_second(sampler: CompiledSampler, start: np.ndarray, repeats: int) -> dict[str, Timed]:
    """Seconds of a sample by both kernels, the noise's draws included."""
    tables = sampler.tables()

    def run(kernel: Callable[..., None]) -> None:
        kernel(*tables, sampler.draws(len(start), 0), start.copy())

    return {
        name: timed(partial(run, kernel), len(start), repeats)
        for name, kernel in zip(BASELINES[1:], (one_by_one, in_batches), strict=True)
    }


def measured(problem: Problem, steps: int, repeats: int = REPEATS) -> dict[str, Timed]:
    """Seconds of a sample by each baseline."""
    network, sde = problem.network, problem.task.sampling_sde
    start = starts(problem, TIMED, 0)
    alone = torch.from_numpy(start[:1]).double()

    def framework() -> None:
        if problem.config.equation == "ode":
            heun(network, sde, alone, steps)
        else:
            driven_euler(network, sde, alone, torch.randn((steps, *alone.shape)).double())

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        first = timed(framework, 1, 5 * repeats)
    finally:
        torch.set_num_threads(threads)
    return {BASELINES[0]: first} | compiled_second(sampler_of(problem, steps), start, repeats)


def baselines(workspace: Workspace) -> list[dict[str, Any]]:
    """Of each case: evaluations to the KL of a converged sampler, and what a sample then takes."""
    rows = []
    for name, tables in CASES.items():
        workspace.on_progress(f"baselines: {name}")
        problem = workspace.run("baselines", tables).problem
        kl = kl_by_steps(problem, workspace.size(20, 3))
        steps = steps_needed(kl)
        row: dict[str, Any] = {
            "case": name, "evaluations": sampler_of(problem, steps).evaluations,
            "kl_mean_nat": kl[steps][0], "kl_deviation_nat": kl[steps][1],
            "kl_converged_nat": kl[STEPS[-1]][0],
        }  # fmt: skip
        for baseline, second in measured(problem, steps, workspace.size(REPEATS, 3)).items():
            row |= {f"{baseline}: {what}": value for what, value in vars(second).items()}
        rows.append(row)
    return rows
