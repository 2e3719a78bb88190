"""The process: what is written, and what is refused."""

from pathlib import Path

import pytest
from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.circuits.process import GF180MCU
from cosim.errors import ConfigurationError, NetlistError


def test_netlist_names_models_corner_and_temperature() -> None:
    circuit = Circuit("models")
    GF180MCU("ss", 125.0, model_folder=Path("../.ngspice/gf180mcu")).apply(circuit)
    text = str(circuit)
    assert '.include "../.ngspice/gf180mcu/design.ngspice"' in text
    assert '.lib "../.ngspice/gf180mcu/sm141064.ngspice" ss' in text
    assert ".temp 125.0" in text


def test_unknown_corner() -> None:
    with pytest.raises(ConfigurationError, match="typical, ff, ss, fs, sf"):
        GF180MCU("tt")


@pytest.mark.parametrize("folder", ['a"b', "a\n.control"])
def test_folder_that_would_break_out_of_its_line(folder: str) -> None:
    with pytest.raises(NetlistError, match="quote or a line break"):
        GF180MCU(model_folder=Path(folder))


@pytest.mark.parametrize(
    ("width", "length", "says"),
    [(0.1e-6, 1e-6, "width 0.1 um"), (1e-6, 0.18e-6, "length 0.18 um"), (2e-4, 1e-6, "width")],
)
def test_geometry_outside_the_models(width: float, length: float, says: str) -> None:
    subcircuit = SubCircuit("block", "d", "g", "s", "b")
    with pytest.raises(NetlistError, match=says):
        GF180MCU().nfet(subcircuit, "device", ("d", "g", "s", "b"), width, length)
