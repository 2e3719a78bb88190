"""Ensembles: the same numbers whoever computes them, and no member lost on the way."""

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cosim.diffusion import run as run_module
from cosim.diffusion.config import NO_LIMITS, parse
from cosim.diffusion.run import Run
from cosim.engine import cluster as cluster_module
from cosim.engine.cluster import ClusterPool
from cosim.engine.ensemble import Executor, Retried, run_ensemble
from cosim.engine.worker import (
    Failed,
    Finished,
    Message,
    Points,
    Simulation,
    Started,
    WorkerPool,
)
from cosim.errors import (
    BlockError,
    ConfigurationError,
    ConvergenceError,
    EngineError,
    NetlistError,
    WorkerCrashError,
    WorkerTimeoutError,
)
from cosim.lockstep.block import Block
from cosim.lockstep.scheme import Extrapolated
from cosim.trace import Trace
from tests.engine.clusters import Cluster, kill
from tests.engine.faults import BreakingDecay, Scripted
from tests.engine.problems import UNIT_SECOND, simulation

TIMEOUT_SECOND = 2.0
HEALTHY_MEMBERS = 3


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and one worker that lives as long."""
    with Cluster(tmp_path_factory.mktemp("dask")) as cluster:
        cluster.add_worker()
        yield cluster


@pytest.fixture
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """One worker, of the kind that is asked for."""
    if request.param == "local":
        with WorkerPool(1, TIMEOUT_SECOND) as pool:
            yield pool
    else:
        with ClusterPool(request.getfixturevalue("cluster").address, TIMEOUT_SECOND) as pool:
            yield pool


@pytest.fixture
def local() -> Iterator[WorkerPool]:
    with WorkerPool(1, TIMEOUT_SECOND) as pool:
        yield pool


def decay(member: int, fault: str = "", marker: Path = Path("/nowhere/marker")) -> Simulation:
    block = Block(BreakingDecay(fault, marker).value, ("x",), ("u",), name="decay")
    job = simulation(block, Extrapolated, 1.0 + member, units=1.0, step=0.01)
    return replace(job, member=member)


def healthy() -> list[Simulation]:
    return [decay(member) for member in range(HEALTHY_MEMBERS)]


def of_kind(messages: list[Message], kind: type[Message]) -> list[int]:
    return [message.member for message in messages if isinstance(message, kind)]


@pytest.mark.parametrize(
    ("executor", "fault", "error"),
    [
        ("local", "killed", WorkerCrashError),
        ("dask", "killed", WorkerCrashError),
        ("dask", "hangs", WorkerTimeoutError),
        ("dask", "raises", BlockError),
    ],
    indirect=["executor"],
)
def test_a_member_that_fails_once_is_run_again(
    executor: Executor, tmp_path: Path, fault: str, error: type[EngineError]
) -> None:
    broken = decay(HEALTHY_MEMBERS, fault, tmp_path / "marker")
    messages = list(run_ensemble(executor, [broken, *healthy()]))
    assert of_kind(messages, Retried) == [broken.member]
    (retried,) = (message for message in messages if isinstance(message, Retried))
    assert isinstance(retried.error, error)
    assert sorted(of_kind(messages, Finished)) == list(range(HEALTHY_MEMBERS + 1))
    last = [m for m in messages[messages.index(retried) :] if isinstance(m, Points)]
    times = np.concatenate([m.time_second for m in last if m.member == broken.member])
    assert times[0] == 0 and times[-1] == pytest.approx(UNIT_SECOND)


def test_a_member_that_fails_twice_is_reported(local: WorkerPool) -> None:
    broken = decay(HEALTHY_MEMBERS, "raises")
    messages = list(run_ensemble(local, [broken, *healthy()]))
    assert of_kind(messages, Retried) == of_kind(messages, Failed) == [broken.member]
    assert isinstance(messages[-1], Failed)
    assert "divided by zero" in str(messages[-1].error)
    assert sorted(of_kind(messages, Finished)) == list(range(HEALTHY_MEMBERS))


def test_a_netlist_that_is_refused_is_not_tried_again(local: WorkerPool) -> None:
    broken = replace(decay(0), netlist=".title broken\nM1 x x 0 0 no_such_model\n.end\n")
    (message,) = run_ensemble(local, [broken])
    assert isinstance(message, Failed) and isinstance(message.error, NetlistError)


class Unconverged:
    """An executor of which no simulation converges by KLU."""

    def run(self, simulations: Iterable[Simulation]) -> Iterator[Message]:
        """Fail by KLU, finish by SPARSE."""
        for one in simulations:
            if " klu" in one.netlist:
                yield Failed(one.member, ConvergenceError("Timestep too small."))
            else:
                yield Started(one.member)

    def renew(self) -> None:
        """Nothing to do."""


def test_what_does_not_converge_by_klu_is_run_again_by_sparse() -> None:
    """ngspice's KLU keeps its order of pivots, and at times finds no step where SPARSE does."""
    large = replace(decay(7), netlist="large\n.options bypass=1 klu\n.end\n")
    retried, started = run_ensemble(Unconverged(), [large])
    assert isinstance(retried, Retried) and isinstance(started, Started)
    assert "again by ngspice's other solver, SPARSE" in str(retried.error)


# -- whole runs -----------------------------------------------------------------------------------


def run_of(samples: int, **tables: dict[str, object]) -> Run:
    values = {"name": "ensemble", "task": "circle", "ensemble": {"samples": samples}}
    for name, table in tables.items():
        values[name] = {**values.get(name, {}), **table}  # type: ignore[dict-item]
    return Run(parse(values, "The test"))


def assert_same(first: Path, second: Path) -> None:
    """Every point of every member, bit for bit."""
    with Trace.open(first) as one, Trace.open(second) as other:
        one.verify()
        other.verify()
        assert one.member_statuses == other.member_statuses
        for index in range(one.members or 0):
            pairs = [(one.member(index), other.member(index))]
            pairs += [(mine.coupling, yours.coupling) for mine, yours in pairs]
            for mine, yours in pairs:
                assert mine.points > 0
                assert np.array_equal(mine.time_second, yours.time_second)
                for name in mine.names:
                    assert np.array_equal(mine[name].values, yours[name].values), (index, name)


CORNERS = {"corners": ["typical", "ff", "ss"]}


@pytest.fixture(scope="module")
def by_one_worker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    return run_of(3, ensemble=CORNERS).execute(folder).trace_path


def test_two_workers_give_the_same_bits_as_one(by_one_worker: Path, tmp_path: Path) -> None:
    run_of(3, ensemble=CORNERS, engine={"jobs": 2}).execute(tmp_path)
    assert_same(by_one_worker, tmp_path / "trace.h5")


def test_a_killed_dask_worker_costs_no_member_and_no_bit(
    cluster: Cluster, by_one_worker: Path, tmp_path: Path
) -> None:
    victim = cluster.add_worker()
    run = run_of(3, ensemble=CORNERS, engine={"scheduler": cluster.address})

    def kill_halfway(fraction: float, doing: str) -> None:
        if fraction > 0.3:
            kill(victim)

    run.execute(tmp_path, on_progress=kill_halfway)
    assert victim.returncode == -signal.SIGKILL
    assert_same(by_one_worker, tmp_path / "trace.h5")


def test_each_member_tells_its_corner(by_one_worker: Path) -> None:
    with Trace.open(by_one_worker) as trace:
        corners = [trace.member(index).events[0].message for index in range(trace.members or 0)]
        final = np.array(
            [trace.member(index)["integrator_0.out"][-1] for index in range(trace.members or 0)]
        )
    assert corners == [f"corner {name}" for name in CORNERS["corners"] for _ in range(3)]
    typical, fast, _ = final.reshape(3, 3)
    # The same three starts; the corner shifts where they end, but by far less than the ring.
    assert np.all(typical != fast)
    np.testing.assert_allclose(typical, fast, atol=2e-3)


def test_monte_carlo_members_differ_by_their_seed() -> None:
    netlists = [job.netlist for job in run_of(2, ensemble={"monte_carlo": 2}).plan.simulations()]
    seeds = [re.findall(r"seed=(\d+)", netlist) for netlist in netlists]
    assert seeds == [["1"], ["1"], ["2"], ["2"]]


IDEAL = {"opamp": "ideal"}


@pytest.mark.parametrize("failures", [1, 2])
def test_a_trace_holds_the_second_attempt_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    executor = Scripted(failures)
    monkeypatch.setattr(run_module, "executor", lambda *_: executor)
    ending = pytest.raises(EngineError, match="divided by zero") if failures == 2 else nullcontext()
    with ending:
        run_of(1, fidelity=IDEAL, limits=NO_LIMITS).execute(tmp_path)
    first, second = executor.sent
    with Trace.open(tmp_path / "trace.h5") as trace:
        trace.verify()
        assert [event.kind for event in trace.events] == ["retried", "failed"][:failures]
        assert "divided by zero" in trace.events[0].message
        assert trace.events[0].time_second == first.time_second[-1]
        assert trace.complete == (failures == 1)
        for table, values in ((trace, second.values), (trace.coupling, second.inputs)):
            assert np.array_equal(table.time_second, second.time_second)
            assert np.array_equal(table[table.names[0]].values, values[:, 0])


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"ensemble": {"corners": ["typical"], "monte_carlo": 2}}, "corners or monte_carlo"),
        ({"ensemble": CORNERS, "fidelity": IDEAL}, "there are none"),
    ],
)
def test_variants_that_make_no_sense_are_refused(tables: dict, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        run_of(2, **tables)


def test_an_unknown_corner_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no corner 'hot'"):
        run_of(2, ensemble={"corners": ["ff", "hot"]}).execute(tmp_path)
    assert not list(tmp_path.iterdir())


# -- what can be wrong with a cluster -------------------------------------------------------------


def test_a_worker_without_the_models_is_named(cluster: Cluster) -> None:
    job = replace(decay(0), netlist='.title x\n.include "/no/such/models.cir"\n.end\n')
    with (
        ClusterPool(cluster.address, TIMEOUT_SECOND) as pool,
        pytest.raises(ConfigurationError, match=r"Dask worker tcp://.*/no/such/models.cir"),
    ):
        list(run_ensemble(pool, [job]))


def test_a_worker_with_other_versions_is_named(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    software = cluster_module._software() | {"numpy": "1.0"}
    monkeypatch.setattr(cluster_module, "_software", lambda: software)
    with (
        ClusterPool(cluster.address, TIMEOUT_SECOND) as pool,
        pytest.raises(ConfigurationError, match=r"numpy is .* there and 1.0 here"),
    ):
        list(run_ensemble(pool, [decay(0)]))


def test_ctrl_c_frees_the_cluster(cluster: Cluster, tmp_path: Path) -> None:
    hanging = decay(HEALTHY_MEMBERS, "hangs", tmp_path / "marker")

    def press() -> None:
        while not (tmp_path / "marker").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with (
        pytest.raises(KeyboardInterrupt),
        ClusterPool(cluster.address, timeout_second=60) as pool,
    ):
        list(run_ensemble(pool, [hanging, *healthy()]))
    pressed = time.monotonic()
    with ClusterPool(cluster.address, timeout_second=60) as pool:
        messages = list(run_ensemble(pool, healthy()))
    assert len(of_kind(messages, Finished)) == HEALTHY_MEMBERS
    assert time.monotonic() - pressed < 20  # the block would sleep for 60 s


def test_a_lost_scheduler_is_an_error(tmp_path: Path) -> None:
    def lose(cluster: Cluster) -> None:
        with ClusterPool(cluster.address, timeout_second=60) as pool:
            for message in run_ensemble(pool, [*healthy(), decay(HEALTHY_MEMBERS, "hangs")]):
                if isinstance(message, Finished):
                    kill(cluster.scheduler)

    with Cluster(tmp_path) as cluster:
        cluster.add_worker()
        with pytest.raises(EngineError, match=r"scheduler at .* was lost"):
            lose(cluster)


@pytest.mark.parametrize(
    ("address", "says"),
    [("tcp://127.0.0.1:1", "within"), ("8786", "missing port"), ("ftp://x:1", "unknown address")],
)
def test_an_address_without_a_scheduler_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, says: str
) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_SECOND", 0.3)
    run = run_of(2, fidelity=IDEAL, engine={"scheduler": address})
    with pytest.raises(ConfigurationError, match=f"No Dask scheduler answers at {address}.*{says}"):
        run.execute(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_scheduler_without_workers_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cluster_module, "FIRST_WORKER_SECOND", 0.3)
    with (
        Cluster(tmp_path) as empty,
        pytest.raises(ConfigurationError, match=r"has no workers.*dask worker tcp://"),
    ):
        ClusterPool(empty.address, TIMEOUT_SECOND)


def test_without_distributed_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "cosim.engine.cluster")
    run = run_of(2, fidelity=IDEAL, engine={"scheduler": "tcp://127.0.0.1:1"})
    with pytest.raises(ConfigurationError, match=r"pip install 'cosim\[cluster\]'"):
        run.execute(tmp_path)
