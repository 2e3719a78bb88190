"""Op-amps of an array's columns: sized by the gain under load that the design counts with."""

import math

import numpy as np
import pytest
from PySpice.Spice.Netlist import Circuit

from cosim.circuits.opamp import TransistorOpAmp, output_units, pair_current
from cosim.circuits.transimpedance import (
    COLUMN_GAIN,
    COLUMN_OP_AMP,
    COLUMN_UNIT_OHM,
    FIRST_SWING_VOLT,
    GAIN_ERROR,
    column_spec,
    column_units,
    gain_error,
    sinking,
)
from cosim.diffusion.netlists import solver_netlist
from cosim.engine.session import NgspiceSession
from cosim.process.gf180mcu import GF180MCU

SUPPLY_VOLT, STEP_VOLT = 3.3, 0.01
LOADS_OHM = (2.5e3, 28e3)
"""Of a first op-amp and of a second one."""


@pytest.mark.parametrize("units", [14, 8, 4])
def test_gain_under_load_is_that_of_the_design(units: int) -> None:
    """At rest, and from there to a quarter of the first op-amp's swing. By an inverter of gain -1
    whose resistors do not load.
    """
    process = GF180MCU()
    circuit = Circuit("gain")
    process.apply(circuit)
    circuit.subcircuit(TransistorOpAmp("device", column_spec(units, SUPPLY_VOLT), process))
    circuit.V("dd", "vdd", circuit.gnd, SUPPLY_VOLT)
    circuit.V("ground", "ground", circuit.gnd, SUPPLY_VOLT / 2)
    circuit.V("drive", "drive", "ground", 0)
    for number, ohm in enumerate(LOADS_OHM):
        inverting, out = f"inverting_{number}", f"out_{number}"
        circuit.X(number, "device", "ground", inverting, out, "vdd", circuit.gnd)
        circuit.R(f"in_{number}", "drive", inverting, 1e9)
        circuit.R(f"feedback_{number}", inverting, out, 1e9)
        circuit.R(f"load_{number}", out, "ground", ohm)
    sweep = f".dc Vdrive {-STEP_VOLT!r} {FIRST_SWING_VOLT / 4!r} {STEP_VOLT!r}"
    accurate = ".options reltol=1e-7 vntol=1e-10 abstol=1e-15 gmin=1e-15"
    found = NgspiceSession.start().analyse(f"{circuit}{accurate}\n{sweep}\n.end\n")
    for number, ohm in enumerate(LOADS_OHM):
        out, inverting = found[f"out_{number}"], found[f"inverting_{number}"]
        at_rest = np.ptp(out[:3]) / np.ptp(inverting[:3])
        assert 1 / at_rest == pytest.approx(gain_error(1.0, ohm, units), rel=0.02)
        if ohm == LOADS_OHM[0]:
            sunk = (out[-1] - out[1]) / (inverting[1] - inverting[-1])
            assert sunk / at_rest == pytest.approx(sinking(ohm, units), rel=0.02)


def test_units_are_the_fewest_that_do() -> None:
    noise_gain, ohm = 4.0, 2.5e3
    units = column_units(noise_gain, ohm)
    assert gain_error(noise_gain, ohm, units) <= GAIN_ERROR < gain_error(noise_gain, ohm, units - 1)
    assert column_units(noise_gain, ohm / 2) > units
    # A small noise gain has gain enough with one unit, which could not drive the swing.
    drive_volt = pair_current(COLUMN_OP_AMP) * ohm
    assert column_units(0.01, ohm) == math.ceil(FIRST_SWING_VOLT / drive_volt) > 1
    assert column_units(0.01, 10 * ohm) == 1
    # What no output could do has a row driver's.
    assert column_units(2 * GAIN_ERROR * COLUMN_GAIN, COLUMN_UNIT_OHM) == output_units(
        COLUMN_OP_AMP
    )


def test_the_rings_columns_have_smaller_outputs_than_its_row_drivers() -> None:
    """At the same error: its supply falls from 45 to 25 mA."""
    text = solver_netlist("circle", {"all": "transistor"})
    for layer, (first, second) in enumerate([(4, 2), (8, 5), (10, 6)]):
        stage = text.split(f".subckt transimpedance_{layer} ")[1].split(".ends")[0]
        assert stage.count(f" op_amp_column_{first}\n") == 1
        assert stage.count(f" op_amp_column_{second}\n") == 1
    assert text.split(".subckt row_driver ")[1].split(".ends")[0].count("op_amp_column_14") == 1
