"""The front door: what a user types, against closed forms; and what it says of mistakes."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import cosim
from cosim.trace import Trace

LOW_PASS = """low-pass <b>of a user</b>
.param rload=1k
.subckt stage in out
R1 in out {rload}
C1 out 0 1n
.ends
V1 in 0 PULSE(0 1 0 1n 1n 1 2) AC 1
X1 in out stage
Rl out 0 1meg
.tran 1n 1u
.end
"""
TAU = 1e-6 * 1e6 / (1e6 + 1e3)


@pytest.fixture(scope="module")
def low_pass() -> cosim.Netlist:
    return cosim.Netlist(LOW_PASS)


@pytest.fixture(scope="module")
def step(low_pass: cosim.Netlist, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """Its step response."""
    return cosim.simulate(
        low_pass,
        stop="8u",
        max_step="10n",
        record=["out", "i(v1)"],
        to=tmp_path_factory.mktemp("front") / "deep" / "run.h5",
    )


def test_a_netlist_says_what_it_is(low_pass: cosim.Netlist, tmp_path: Path) -> None:
    assert low_pass.title == "low-pass <b>of a user</b>"
    assert sorted(low_pass.nodes) == ["in", "out"]
    assert low_pass.currents == {"i(v1)": "v1#branch"}
    assert low_pass.parameters == {"rload": "1k"}
    assert ".tran" not in low_pass.circuit
    assert low_pass.findings == []
    html = low_pass._repr_html_()
    assert "<b>of a user" not in html
    assert "&lt;b&gt;of a user" in html
    assert "1 c, 2 r, 1 v" in html
    (tmp_path / "low.cir").write_text(LOW_PASS)
    assert cosim.Netlist.read(tmp_path / "low.cir").circuit == low_pass.circuit


def test_a_netlist_of_pyspice_and_of_a_generator() -> None:
    from PySpice.Spice.Netlist import Circuit

    circuit = Circuit("divider")
    circuit.V("1", "a", circuit.gnd, 2)
    circuit.R("1", "a", "b", 1e3)
    circuit.R("2", "b", circuit.gnd, 3e3)
    found = cosim.op(cosim.Netlist(circuit))
    assert found["b"] == pytest.approx(1.5)
    assert found["i(v1)"] == pytest.approx(-0.5e-3)
    assert (found["b"].units, found["i(v1)"].units) == ("V", "A")
    assert "1.5 V" in found._repr_html_()


def test_a_step_response_is_the_closed_form(step: Trace) -> None:
    assert step.names == ["out", "i(v1)"]
    assert step.complete
    assert step["out"].settling_time(0.01, final=1e6 / (1e6 + 1e3)) == pytest.approx(
        TAU * np.log(100), rel=2e-3
    )
    assert step["i(v1)"].min() == pytest.approx(-1e-3, rel=2e-3)
    assert "8 us" in step._repr_html_()
    assert "deep/run.h5" in step._repr_html_()
    assert step.provenance.netlist.startswith("low-pass")


def test_traces_are_compared_and_shown(step: Trace) -> None:
    found = cosim.compare(step, step.path)
    found.check()
    assert "ok" in found._repr_html_()
    axes = step.plot()
    assert [one.get_legend().texts[0].get_text() for one in axes] == ["out", "i(v1)"]
    assert axes[0].get_shared_x_axes().joined(*axes)
    axis = step["out"].plot()
    assert axis.get_legend().texts[0].get_text() == "out"


@pytest.mark.parametrize("scheme", ["explicit", "linearised"])
def test_two_blocks_may_take_one_node(scheme: str, tmp_path: Path) -> None:
    """A ramp of 1 V in 9 ns: one block doubles it, the other turns it round."""
    netlist = cosim.Netlist("t\nV1 a 0 PWL(0 0 9n 1)\nR1 a 0 1k\nR2 b 0 1k\nR3 c 0 1k\n")
    blocks = [
        cosim.Block(lambda volts: 2 * volts, ["a"], ["b"]),
        cosim.Block(lambda volts: -volts, ["a"], ["c"]),
    ]
    with cosim.simulate(
        netlist, blocks, stop="9n", max_step="0.1n", scheme=scheme, confirm=False, progress=False,
        to=tmp_path / "run.h5",
    ) as trace:  # fmt: skip
        assert trace["b"].values == pytest.approx(-2 * trace["c"].values, abs=1e-6)
        assert trace["b"].values[-1] == pytest.approx(2, abs=0.05)
        taken = [trace.coupling[name].values for name in ("input.a", "input.a#2")]
        assert np.array_equal(*taken)


def test_a_trace_that_is_there_is_kept(low_pass: cosim.Netlist, step: Trace) -> None:
    before = step.path.read_bytes()
    with pytest.raises(cosim.TraceError, match="exists"):
        cosim.simulate(low_pass, stop="1u", to=step.path)
    with pytest.raises(cosim.ConfigurationError, match="no scheme 'implicit'"):
        cosim.simulate(low_pass, stop="1u", to=step.path, scheme="implicit", overwrite=True)
    assert step.path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"record": ["outt"]}, "Near it: out"),
        ({"record": ["i(r9)"]}, r"Near it: i\(v1\)"),
        ({"stop": "soon"}, "`stop` is 'soon'"),
        ({"corner": "ss"}, "no `.lib FILE CORNER` line"),
    ],
)
def test_what_cannot_be_simulated(low_pass: cosim.Netlist, change: dict, says: str) -> None:
    with pytest.raises(cosim.ConfigurationError, match=says):
        cosim.simulate(low_pass, **{"stop": "1u", **change})


def test_a_netlist_that_is_wrong() -> None:
    floating = cosim.Netlist("title\nV1 a 0 1\nR1 a b 1k\n")
    assert "floating-node" in cosim.check(floating)._repr_html_()
    with pytest.raises(cosim.NetlistError, match="floating-node"):
        cosim.simulate(floating, stop="1u")
    driven = cosim.Netlist("title\nR1 u x 1k\nC1 x 0 1n\nR2 y 0\n.end\n")
    block = cosim.Block(lambda volts: 1 - volts, ["x"], ["u"])
    assert {finding.rule for finding in cosim.check(driven)} > {"floating-node"}
    (finding, *_) = found = cosim.check(driven, blocks=[block])
    assert {one.node for one in found if one.rule == "floating-node"} == {"y"}
    assert finding.line == 4
    with pytest.raises(cosim.ConfigurationError, match=r"no parameter 'rlaod'.*rload"):
        cosim.Netlist(LOW_PASS).given({"rlaod": 1})
    with pytest.raises(cosim.ConfigurationError, match=r"Netlist.read\(path\)"):
        cosim.Netlist("amplifier.cir")


def test_small_signal_and_noise_are_the_closed_forms(low_pass: cosim.Netlist) -> None:
    response = cosim.ac(low_pass, 1e3, "10meg", 5)
    hertz = response["frequency"].values
    expected = TAU / 1e-6 / (1 + 2j * np.pi * hertz * TAU)
    assert np.abs(response["out"].values - expected).max() < 1e-6
    density = cosim.noise(low_pass, "out", "v1", 1, 10, 2)["output"]
    kelvin, ohm = 300.15, TAU / 1e-9
    assert float(density[0]) == pytest.approx(np.sqrt(4 * 1.380649e-23 * kelvin * ohm), rel=1e-3)
    assert density.units == "V/√Hz"


def test_direct_current_of_a_variant(low_pass: cosim.Netlist) -> None:
    found = cosim.dc(low_pass.given({"rload": "1meg"}), "v1", 0, 2, 1, temperature=85)
    assert found["out"].values == pytest.approx([0, 0.5, 1])
    assert found["v1"].values == pytest.approx([0, 1, 2])
    assert found["out"].units == "V"


def test_models_of_a_process_come_at_the_corner() -> None:
    mirror = cosim.Netlist(
        "inverter\nVdd vdd 0 3.3\nVin in 0 1.4\nXn out in 0 0 nfet_3v3 w=2u l=1u\nRp vdd out 20k\n",
        process="generic180",
    )
    currents = {
        corner: -float(cosim.op(mirror, corner=corner)["i(vdd)"]) for corner in ("typical", "ss")
    }
    assert currents["typical"] > 1.05 * currents["ss"]
    slow = mirror.given(corner="ss").given(temperature=85)
    assert -float(cosim.op(slow)["i(vdd)"]) == pytest.approx(
        -float(cosim.op(mirror, corner="ss", temperature=85)["i(vdd)"]), rel=1e-12
    )


def test_ctrl_c_keeps_what_is_there(low_pass: cosim.Netlist, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"

    def press() -> None:
        while not path.exists() or Trace.open(path).points < 1:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press, daemon=True)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        cosim.simulate(low_pass, stop=1, max_step="10n", to=path)
    presser.join()
    with cosim.Trace.open(path) as trace:
        assert trace.status == "interrupted"
        assert trace["out"].max() > 0


class Accumulator:
    """A sampled controller with a memory."""

    def __init__(self, gain: float) -> None:
        self.gain = gain
        self.reset()

    def reset(self) -> None:
        self.sum = 0.0

    def __call__(self, volts: np.ndarray) -> np.ndarray:
        self.sum += self.gain * (1.0 - volts[0])
        return np.array([self.sum])


def test_an_interrupted_simulation_is_resumed_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netlist = cosim.Netlist("plant\nR1 drive out 1k\nC1 out 0 1n\n.end\n")

    def simulate(gain: float, name: str, **options: bool) -> Trace:
        block = cosim.Block(Accumulator(gain), inputs=["out"], outputs=["drive"], sample="2u")
        path = tmp_path / name
        return cosim.simulate(netlist, [block], stop="200u", max_step="20n", to=path, **options)

    @contextmanager
    def interrupting(progress: bool, doing: str) -> Iterator[Callable[[float, str], None]]:
        def press(fraction: float, doing: str) -> None:
            if fraction > 0.1:
                raise KeyboardInterrupt

        yield press

    with monkeypatch.context() as patched:
        patched.setattr("cosim.simulation.simulate.shown", interrupting)
        with pytest.raises(KeyboardInterrupt):
            simulate(0.2, "run.h5")
    assert 0 < Trace.open(tmp_path / "run.h5").points < 10_000
    with pytest.raises(cosim.ConfigurationError, match="another run"):
        simulate(0.3, "run.h5", resume=True)  # other answers: not the same controller
    resumed, whole = simulate(0.2, "run.h5", resume=True), simulate(0.2, "whole.h5", resume=True)
    assert resumed.complete
    assert np.array_equal(resumed.time_second, whole.time_second)
    assert np.array_equal(resumed["out"].values, whole["out"].values)
    before = resumed.path.read_bytes()
    resumed.close()
    simulate(0.2, "run.h5", resume=True)
    assert (tmp_path / "run.h5").read_bytes() == before
