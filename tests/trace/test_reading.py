"""Views of a trace: by name, pattern and time, decimated, live, in other libraries' types."""

import sys
from pathlib import Path

import hypothesis.extra.numpy as hnp
import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.errors import TraceError
from cosim.trace import Trace, TraceWriter
from cosim.trace.decimate import decimate
from tests.trace.recordings import PROVENANCE, SIGNALS, record, rows


@pytest.fixture
def trace(tmp_path: Path):
    record(tmp_path / "run.h5")
    with Trace.open(tmp_path / "run.h5") as opened:
        yield opened


def test_a_signal_reads_like_an_array(trace: Trace) -> None:
    expected = rows(0, 20_000)[1][:, 1]
    view = trace["integrator_1.out"]
    assert (len(view), view.unit, view.name) == (20_000, "V", "integrator_1.out")
    for key in (5, -1, slice(8190, 8200), slice(None, None, -1), slice(19_000, 10, -7),
                [3, 1], expected > 100):  # fmt: skip
        assert np.array_equal(view[key], expected[key])
    assert np.array_equal(np.asarray(view), expected)
    assert float(np.max(view.values)) == expected.max()
    assert "integrator_1.out" in repr(view)
    with pytest.raises(IndexError):
        view[20_000]


def test_signals_are_found_by_pattern(trace: Trace) -> None:
    assert trace.match("integrator_*.out") == ["integrator_0.out", "integrator_1.out"]
    assert trace.match("*.current") == ["supply.current"]
    assert trace.match("absent*") == []
    assert list(trace) == trace.names == [signal.name for signal in SIGNALS]
    assert "supply.current" in trace
    assert "supply" not in trace


def test_an_unknown_name_gets_the_near_ones(trace: Trace) -> None:
    with pytest.raises(TraceError, match=r"Near it: integrator_1.out"):
        trace["integrator_1.outt"]


def test_a_window_has_both_ends(trace: Trace) -> None:
    time_second, values = rows(100, 201)
    window = trace.window(time_second[0], time_second[-1])
    assert np.array_equal(window.time_second, time_second)
    assert np.array_equal(window["supply.current"].values, values[:, 2])
    assert window.coupling.points == 101
    inner = window.window(time_second[10], 1.0)
    assert np.array_equal(inner.time_second, time_second[10:])
    assert trace.points == 20_000
    assert trace.window(1.0, 2.0).points == 0


def test_repr_tells_what_there_is(trace: Trace) -> None:
    text = repr(trace)
    for expected in ("complete", "20,000 points", "1.9999e-05 s", "integrator_0.out", "ngspice 46",
                     "x1 of the solver", "coupling (1)", "events (2)"):  # fmt: skip
        assert expected in text


def test_a_plot_is_decimated_and_labelled(trace: Trace) -> None:
    mpl.use("agg")
    axes = trace["integrator_0.out"].plot()
    (line,) = axes.lines
    assert len(line.get_xdata()) <= 8000
    assert line.get_ydata()[-1] == rows(19_999, 20_000)[1][0, 0]
    assert axes.get_ylabel() == "x1 of the solver"
    assert axes.yaxis.get_major_formatter()(0.5) == "500 mV"  # the unit is at the ticks


@settings(deadline=None, max_examples=50)
@given(
    hnp.arrays("f8", st.integers(1, 400), elements=st.floats(0, 1)),
    st.integers(4, 100),
    st.randoms(use_true_random=False),
)
def test_decimation_keeps_every_peak(steps: np.ndarray, points: int, random) -> None:
    time_second = np.cumsum(steps)
    values = np.array([random.choice([random.random(), np.nan, -np.inf, 9.0]) for _ in steps])
    kept = decimate(time_second, values, points)
    assert len(kept) <= points or len(values) <= points
    assert (np.diff(kept) > 0).all()
    assert {kept[0], kept[-1]} == {0, len(values) - 1}
    # In each pixel column, the drawn line reaches as low and as high as the whole one.
    span = (time_second[-1] - time_second[0]) / (points // 4)
    edges = time_second[0] + span * np.arange(points // 4 + 1)
    column = np.searchsorted(edges[1:-1], time_second, side="right")
    for number in np.unique(column):
        whole, drawn = values[column == number], values[kept][column[kept] == number]
        if len(kept) < len(values) and not np.isnan(whole).all():
            assert np.nanmin(drawn) == np.nanmin(whole)
            assert np.nanmax(drawn) == np.nanmax(whole)


def test_one_sample_glitch_survives_decimation(tmp_path: Path) -> None:
    time_second, values = rows(0, 50_000)
    values[31_234, 0] = 1e6
    with TraceWriter.create(tmp_path / "run.h5", signals=SIGNALS, provenance=PROVENANCE) as writer:
        writer.append(time_second, values)
        writer.finish()
    with Trace.open(tmp_path / "run.h5") as trace:
        times, drawn = trace.decimated("integrator_0.out", 200)
    assert len(drawn) <= 200
    assert times[np.argmax(drawn)] == time_second[31_234]


def test_to_pandas(trace: Trace) -> None:
    frame = trace.to_pandas()
    assert list(frame) == trace.names
    assert frame.index.name == "time_second"
    assert frame["supply.current"].iloc[-1] == trace["supply.current"][-1]


def test_to_xarray(trace: Trace) -> None:
    dataset = trace.to_xarray()
    assert dataset["supply.current"].attrs["units"] == "A"
    assert float(
        dataset["supply.current"].sel(time_second=1e-6, method="nearest")
    ) == pytest.approx(trace["supply.current"][1000])


@pytest.mark.parametrize("library", ["pandas", "xarray"])
def test_without_the_library_the_error_says_what_to_do(trace, monkeypatch, library) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(TraceError, match=f"pip install {library}"):
        getattr(trace, f"to_{library}")()


def test_a_trace_can_be_read_while_this_process_writes_it(tmp_path: Path) -> None:
    with TraceWriter.create(tmp_path / "run.h5", signals=SIGNALS, provenance=PROVENANCE) as writer:
        trace = Trace.open(tmp_path / "run.h5")
        assert (trace.points, trace.status, trace.complete) == (0, "running", False)
        assert "running, or killed" in repr(trace)
        writer.append(*rows(0, 9000))
        assert trace.refresh().points == 8192  # the full chunk; the rest follows in half a second
        writer.append(*rows(9000, 9001))
        writer.finish()
        finished = trace.refresh()
        assert (finished.points, finished.status) == (9001, "complete")
        finished.verify()
        assert trace.points == 0
        finished.close()
