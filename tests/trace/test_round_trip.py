"""What was recorded is what is read, bit for bit."""

from pathlib import Path

import h5py
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosim.errors import TraceError
from cosim.trace import Provenance, Signal, Trace, TraceWriter, schema
from tests.trace.recordings import COUPLING, PROVENANCE, SIGNALS, check_is_known, record, rows

part = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_#+-]{0,8}", fullmatch=True)
names = st.builds(lambda block, node: f"{block}.{node}", part, part)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Signal], np.ndarray, np.ndarray]:
    """Signals, times and values of one table; any float64 is a value, NaN too."""
    unique = draw(st.lists(names, unique=True, max_size=5))
    signals = [Signal(name, "V", draw(st.text("abcµΩ ", max_size=9))) for name in unique]
    points = draw(st.integers(0, 70))
    finite = st.floats(0, 1, allow_nan=False)
    time_second = np.sort(draw(hnp.arrays("f8", points, elements=finite)))
    values = draw(hnp.arrays("f8", (points, len(signals)), elements=st.floats()))
    return signals, time_second, values


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tables(), tables(), st.integers(1, 80), st.sampled_from([1, 7, 16, 64]))
def test_any_table_comes_back(monkeypatch, tmp_path, run, coupling, block, chunk) -> None:
    monkeypatch.setattr(schema, "CHUNK_POINTS", chunk)
    path = tmp_path / "run.h5"
    with TraceWriter.create(
        path, signals=run[0], coupling=coupling[0], provenance=PROVENANCE, overwrite=True
    ) as writer:
        for append, (_, time_second, values) in (
            (writer.append, run),
            (writer.append_coupling, coupling),
        ):
            for first in range(0, len(time_second), block):
                append(time_second[first : first + block], values[first : first + block])
        writer.finish()
    with Trace.open(path) as trace:
        assert trace.complete
        trace.verify()
        for table, (signals, time_second, values) in ((trace, run), (trace.coupling, coupling)):
            assert table.names == [signal.name for signal in signals]
            assert table.time_second.tobytes() == time_second.tobytes()
            for signal, column in zip(signals, values.T, strict=True):
                view = table[signal.name]
                assert (view.unit, view.description) == (signal.unit, signal.description)
                assert view.values.tobytes() == column.tobytes()


def test_the_rest_of_a_run_comes_back(tmp_path: Path) -> None:
    record(tmp_path / "run.h5")
    with Trace.open(tmp_path / "run.h5") as trace:
        check_is_known(trace)
        assert trace.provenance == PROVENANCE
        assert [tuple(event) for event in trace.events] == [
            (0.0, -1, "start", "precharge ends"),
            (1e-6, -1, "note", "größer als 1,5 units"),
        ]
        assert (trace.status, trace.reason, trace.members) == ("complete", "", None)
        assert 0 < trace.wall_time_second < 60


def test_a_finished_file_has_the_documented_layout_for_any_hdf5_reader(tmp_path: Path) -> None:
    record(tmp_path / "run.h5", points=9000)
    time_second, values = rows(0, 9000)
    with h5py.File(tmp_path / "run.h5") as file:
        assert file.attrs["schema"].decode() == "cosim-trace"
        assert np.array_equal(file["time"], time_second)
        signal = file["signals/integrator_1/out"]
        assert np.array_equal(signal, values[:, 1])
        assert signal.dtype == np.float64
        assert (signal.compression, signal.shuffle) == ("gzip", True)
        assert signal.attrs["units"].decode() == "V"
        assert file["progress"][()].tolist() == (9000, 0, 9000, 0, 2, b"complete")
        assert file["provenance/netlist"][()].decode() == PROVENANCE.netlist
        assert "member" not in file


def test_many_signals_get_shorter_chunks(tmp_path: Path) -> None:
    signals = [Signal(f"column_{i}.out", "V") for i in range(520)]
    time_second, values = rows(0, 8000, len(signals))
    with TraceWriter.create(tmp_path / "wide.h5", signals=signals, provenance=PROVENANCE) as writer:
        writer.append(time_second, values)
        writer.finish()
    with Trace.open(tmp_path / "wide.h5") as trace:
        assert np.array_equal(trace["column_519.out"].values, values[:, -1])
    with h5py.File(tmp_path / "wide.h5") as file:
        assert file["tail"].size * 8 <= 2**25


def test_provenance_is_collected_from_this_process() -> None:
    collected = Provenance.collect(
        configuration_toml="", netlist="", seeds={}, ngspice_version="46"
    )
    assert collected.software["ngspice"] == "46"
    assert collected.software["numpy"] == np.__version__
    assert collected.host.cores >= 1


def test_a_long_message_is_cut_visibly(tmp_path: Path) -> None:
    with TraceWriter.create(tmp_path / "run.h5", signals=SIGNALS, provenance=PROVENANCE) as writer:
        writer.event(np.nan, "ngspice", "µ" * 3000)
        writer.finish()
    with Trace.open(tmp_path / "run.h5") as trace:
        trace.verify()
        message = trace.events[0].message
        assert message.startswith("µµµ")
        assert message.endswith("µ…")
        assert 1990 < len(message.encode()) <= 2000


@pytest.mark.parametrize(
    "name",
    [
        "",
        "time",
        "member",
        "a(b)",
        "i(a",
        "i()",
        "a.",
        ".a",
        "a..b",
        "a/b.c",
        "../b.c",
        "a b.c",
        "a.b\n",
        "a.Ω",
        "a." * 200,
    ],
)
def test_names_that_are_not_block_and_node_are_refused(name: str) -> None:
    with pytest.raises(TraceError, match="cannot be named"):
        Signal(name, "V")


@pytest.mark.parametrize(
    ("given_names", "fault"), [(["a.b", "a.b"], "twice"), (["a.b", "a.b.c"], "as a block")]
)
def test_names_that_share_a_place_are_refused(tmp_path, given_names, fault) -> None:
    with pytest.raises(TraceError, match=fault):
        TraceWriter.create(
            tmp_path / "run.h5",
            signals=[Signal(name, "V") for name in given_names],
            provenance=PROVENANCE,
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("times", [[1.0, np.nan], [2.0, 1.0], [np.inf], [0.5]])
def test_time_must_be_finite_and_not_go_back(tmp_path: Path, times: list[float]) -> None:
    writer = TraceWriter.create(tmp_path / "run.h5", signals=SIGNALS, provenance=PROVENANCE)
    writer.append(np.array([0.75]), np.ones((1, 3)))
    with pytest.raises(TraceError, match="do not go back"):
        writer.append(np.array(times), np.ones((len(times), 3)))
    writer.append(np.array([0.75, 0.8]), np.ones((2, 3)))
    writer.finish()
    with Trace.open(tmp_path / "run.h5") as trace:
        assert trace.time_second.tolist() == [0.75, 0.75, 0.8]


def test_values_of_the_wrong_shape_are_refused(tmp_path: Path) -> None:
    with (
        TraceWriter.create(
            tmp_path / "run.h5", signals=SIGNALS, coupling=COUPLING, provenance=PROVENANCE
        ) as writer,
        pytest.raises(ValueError, match="are not"),
    ):
        writer.append(np.zeros(2), np.ones((2, 4)))
