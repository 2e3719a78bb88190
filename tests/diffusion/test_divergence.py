"""KL of an ensemble's members over time."""

from pathlib import Path

import numpy as np

from cosim.diffusion.config import RunConfig
from cosim.diffusion.divergence import kl_over_time
from cosim.diffusion.plan import GROUND, STATE
from cosim.diffusion.run import Run
from cosim.trace import Signal, Trace, TraceWriter
from tests.trace.recordings import PROVENANCE

MEMBERS = 60


def record(path: Path, configuration: str, volts: np.ndarray) -> Trace:
    """Volts [members, instants, states], one second apart, about a ground of 1 V."""
    provenance = PROVENANCE.model_copy(update={"configuration_toml": configuration})
    signals = [Signal(name, "V") for name in (STATE.format(0), STATE.format(1), GROUND)]
    with TraceWriter.create(
        path, signals=signals, provenance=provenance, members=len(volts)
    ) as writer:
        for member, rows in enumerate(volts):
            points = np.column_stack([rows + 1.0, np.ones(len(rows))])
            writer.append(np.arange(len(rows)) * 1.0, points, member)
        writer.finish()
    return Trace.open(path)


def test_it_falls_as_samples_come_to_the_true_distribution(tmp_path: Path) -> None:
    config = RunConfig(name="circle", task="circle")
    true = Run(config).plan.problem.true_samples()[:MEMBERS]
    noise = np.random.default_rng(1).standard_normal(true.shape)
    volts = config.scaling.volt_per_unit * np.stack([3 * noise, 0.3 * noise + true, true], axis=1)
    with record(tmp_path / "run.h5", config.to_toml(), volts) as trace:
        far, near, there = kl_over_time(trace, np.arange(3.0)) or []
    assert far > near > there > 0


def test_it_has_no_meaning_for_another_trace(tmp_path: Path) -> None:
    for name, configuration, members in (("few", "", 3), ("foreign", "a = 1", MEMBERS)):
        with record(tmp_path / f"{name}.h5", configuration, np.zeros((members, 2, 2))) as trace:
            assert kl_over_time(trace, np.zeros(1)) is None
