"""How far an ensemble's samples are from the true distribution while they are generated."""

import numpy as np

from cosim.diffusion.plan import GROUND, STATE, states_at
from cosim.diffusion.report import KL_MINIMUM_SAMPLES
from cosim.diffusion.run import Run
from cosim.diffusion.score.metrics import HistogramKl
from cosim.errors import ConfigurationError
from cosim.trace import Trace

PLANE = 2


def kl_over_time(trace: Trace, instants: np.ndarray) -> list[float] | None:
    """KL in nats at instants [n] in second, of 2-D histograms, as `cosim run` tells at the end.

    None for what is no ensemble of the solver, has more states than two, or too few members; and
    for a task from a Python file, which no trace may have run.
    """
    signals = {GROUND, *map(STATE.format, range(PLANE))}
    if not signals <= set(trace.names) or (trace.members or 0) < KL_MINIMUM_SAMPLES:
        return None
    try:
        run = Run.from_trace(trace)
    except ConfigurationError:
        return None
    problem = run.plan.problem
    if problem.network.states != PLANE:
        return None
    every = (trace.member(number) for number in range(trace.members or 0))
    members = [member for member in every if member.points]
    units = np.array([states_at(run.plan, member, instants) for member in members])
    kl = HistogramKl(problem.true_samples(), problem.task.plot_limit)
    return [kl(units[:, at]) for at in range(len(instants))]
