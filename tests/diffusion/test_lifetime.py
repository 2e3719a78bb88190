"""What solving does to cells, and what programming makes of them, against the card and ngspice."""

import csv

import numpy as np
import pytest

from cosim.characterise.fast_cell import FastCells, Variation, access_table, program_all
from cosim.circuits.cell_1t1r import READ_VOLT, WriteVerify
from cosim.circuits.rram import load_card
from cosim.diffusion.studies.figures import PROJECT_FIGURES
from cosim.diffusion.studies.lifetime import mean_velocity, solves_until, spent
from cosim.engine.session import NgspiceSession
from cosim.process.gf180mcu import GF180MCU

CARD = load_card()


def test_mean_velocity_is_the_card_s() -> None:
    """A row that was half of its time at 0.8 V, half at -0.3 V."""
    gap = np.array([[0.3e-9, 0.8e-9]])
    volts = np.repeat([[0.8], [-0.3]], 50, axis=0)
    found = mean_velocity(CARD, gap, spent(volts), 85.0)
    for cell, metre in enumerate(gap[0]):
        expected = np.mean([CARD.gap_velocity(metre, volt, 85.0) for volt in (0.8, -0.3)])
        assert found[0, cell] == pytest.approx(expected, rel=0.1)  # bins of 4 mV


def test_a_cell_of_100_uS_moves_by_one_percent_in_nanoseconds_at_a_row_of_1_1_volt() -> None:
    gap = CARD.gap(0.1e-3, READ_VOLT)
    second = 0.01 * CARD.gap_scale_metre / abs(CARD.gap_velocity(gap, 1.1, 27.0))
    assert second == pytest.approx(11e-9, rel=0.1)


def test_solves_until_a_limit_lie_between_those_that_were_worked_out() -> None:
    solves, drift = np.array([0.0, 100.0, 1000.0]), np.array([0.0, 0.005, 0.05])
    assert 100 < solves_until(solves, drift, 0.01) < 1000
    assert solves_until(solves, drift, 0.1) == np.inf


@pytest.fixture(scope="module")
def table():  # type: ignore[no-untyped-def]
    return access_table(NgspiceSession.start(), GF180MCU())


def test_fast_cells_are_programmed_as_in_ngspice(table) -> None:  # type: ignore[no-untyped-def]
    """The committed figure's 24 targets, programmed by ngspice: most take the same pulses, which
    they would not if a pulse did something else.
    """
    with (PROJECT_FIGURES / "cell.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["curve"] == "pulses"][::4]
    target, pulses = (np.array([float(row[key]) for row in rows]) for key in "xy")
    found = program_all(FastCells(CARD, GF180MCU(), table, len(target)), target, WriteVerify())
    assert found.done.all()
    assert np.mean(found.pulses == pulses) >= 0.6
    assert np.abs(found.pulses - pulses).max() <= 6


def test_variation_costs_yield(table) -> None:  # type: ignore[no-untyped-def]
    """Read noise makes write-verify take cells for done that are not."""
    target = np.linspace(0.03e-3, 0.09e-3, 6)
    noisy = FastCells(CARD, GF180MCU(), table, 6, Variation(read=0.05))
    found = program_all(noisy, target, WriteVerify(maximum_pulses=12))
    off = np.abs(found.siemens - target) > WriteVerify().tolerance_siemens
    assert (found.done & off).any() or not found.done.all()
