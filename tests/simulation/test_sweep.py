"""Sweeps: grids and lists on two processes, labelled; failed points named; resumed."""

from pathlib import Path

import numpy as np
import pytest

import cosim

LOW_PASS = """low-pass
.param rload=1k farad=1n
V1 in 0 PULSE(0 1 0 1n 1n 1 2)
R1 in out {rload}
C1 out 0 {farad}
"""
GRID = {"rload": ["500", 1e3], "temperature": [27, 85]}
MEASURE = {
    "settling": lambda trace: trace["out"].settling_time(0.01, final=1),
    "end": lambda trace: trace["out"].at("4u"),
}


@pytest.fixture(scope="module")
def netlist() -> cosim.Netlist:
    return cosim.Netlist(LOW_PASS)


@pytest.fixture(scope="module")
def grid(netlist: cosim.Netlist, tmp_path_factory: pytest.TempPathFactory) -> cosim.Sweep:
    path = tmp_path_factory.mktemp("sweep") / "grid.h5"
    return cosim.sweep(netlist, GRID, stop="8u", max_step="20n", measure=MEASURE, jobs=2, to=path)


def test_a_grid_is_labelled(grid: cosim.Sweep) -> None:
    table = grid.check().to_xarray()
    assert table["settling"].dims == ("rload", "temperature")
    assert table["settling"].units == "s"
    for ohm in (500, 1e3):
        at_85 = table["settling"].sel(rload=ohm, temperature=85)
        assert float(at_85) == pytest.approx(ohm * 1e-9 * np.log(100), rel=5e-3)
    assert set(table["status"].values.ravel()) == {"complete"}
    assert "rload" in grid._repr_html_()
    assert "4 points, 0 without all results" in repr(grid)
    assert [event.message for event in grid.trace.events][:1] == ["rload=500, temperature=27"]


def test_a_point_is_the_simulation_of_its_variant(
    netlist: cosim.Netlist, grid: cosim.Sweep
) -> None:
    alone = cosim.simulate(netlist.given({"rload": 500}, temperature=85), stop="8u", max_step="20n")
    assert np.array_equal(alone.time_second, grid[1].time_second)
    assert np.array_equal(alone["out"].values, grid[1]["out"].values)


def test_a_complete_sweep_is_not_simulated_again(netlist: cosim.Netlist, grid: cosim.Sweep) -> None:
    path, before = grid.trace.path, grid.trace.path.read_bytes()
    again = cosim.sweep(
        netlist, GRID, stop="8u", max_step="20n", measure=MEASURE, to=path, resume=True
    )
    assert again.measured == grid.measured
    assert path.read_bytes() == before
    with pytest.raises(cosim.TraceError, match="exists"):
        cosim.sweep(netlist, GRID, stop="8u", to=path)
    with pytest.raises(cosim.ConfigurationError, match=r"nothing to resume|another run"):
        cosim.sweep(netlist, GRID, stop="9u", to=path, resume=True)


def test_points_without_a_result_are_named(netlist: cosim.Netlist, tmp_path: Path) -> None:
    points = [{"rload": 1e3, "farad": 1e-9}, {"rload": 1e3, "farad": 1e-6}]
    with pytest.warns(UserWarning, match=r"1 of 2 .*point 1 \(rload=1000, farad=1e-06\): settling"):
        found = cosim.sweep(netlist, points, stop="8u", max_step="20n", measure=MEASURE)
    assert found.statuses == ["complete", "not measured"]
    table = found.to_xarray()
    assert table["settling"].dims == ("point",)
    assert np.isnan(table["settling"].values).tolist() == [False, True]
    assert np.isfinite(table["end"].values).all()
    assert "has not settled" in str(table["fault"].values[1])
    assert table["farad"].values.tolist() == [1e-9, 1e-6]
    with pytest.raises(cosim.EngineError, match="1 of 2 points"):
        found.check()


def test_another_block_is_another_sweep(tmp_path: Path) -> None:
    """What is complete was computed with other weights."""
    load = f"{LOW_PASS}R2 drive out 1k\n"

    def sweep(gain: float) -> cosim.Sweep:
        block = cosim.Block(lambda volts: -gain * volts, inputs=["out"], outputs=["drive"])
        over = {"rload": [1e3]}
        path = tmp_path / "sweep.h5"
        return cosim.sweep(cosim.Netlist(load), over, [block], stop="1u", to=path, resume=True)

    sweep(0.5)
    sweep(0.5)
    with pytest.raises(cosim.ConfigurationError, match="another run"):
        sweep(0.500001)


@pytest.mark.parametrize(
    ("over", "says"),
    [
        ({"rlaod": [1]}, "no 'rlaod' to sweep.*rload, farad"),
        ({}, "nothing to sweep over"),
        ([{"rload": 1}, {"farad": 1}], "the same names"),
        ({"rload": [None]}, "cannot be None"),
    ],
)
def test_what_cannot_be_swept(netlist: cosim.Netlist, over: dict, says: str) -> None:
    with pytest.raises(cosim.ConfigurationError, match=says):
        cosim.sweep(netlist, over, stop="1u")
