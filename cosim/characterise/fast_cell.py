"""Many 1T1R cells at once, without ngspice: for the statistics of programming.

The card's equations of the gap (`cosim.circuits.rram`) with the access transistor as a table, which
ngspice measures once; at each step the device's voltage is where both currents meet. Random are

- from cell to cell: I0 and the enhancement of the field, which are a cell's own (device spread);
- from cycle to cycle: the gap, which a pulse moves by a Wiener process as well,
  dg = delta / (1 + exp((450 K - T) / 500 K)) sqrt(1 ns) dw;
- from read to read: the current, by 1/f noise that grows with resistance.

Sources: the random term is that of the Verilog-A of Jiang et al., IEEE TED 63(5), 2016, whose rate
N(0, 1) delta acts for one time step, bounded to 1 ns, delta = 1e-4 to 0.02 m/s in its published
decks; read noise in proportion to R^0.5: Ambrogio et al., IEEE TED 62(11), 3805 (2015), the shape,
not the size.
"""

import math
from dataclasses import dataclass, replace

import numba
import numpy as np
from PySpice.Spice.Netlist import Circuit

from cosim.circuits.cell_1t1r import (
    READ_VOLT,
    RESET,
    SET,
    WORD_SUPPLY_VOLT,
    Simulator,
    WriteVerify,
)
from cosim.circuits.rram import BOLTZMANN_ELECTRONVOLT_PER_KELVIN as BOLTZMANN
from cosim.circuits.rram import KELVIN_AT_ZERO_CELSIUS, RramCard
from cosim.process.process import Process

PULSE_SECOND = 1.01e-6
"""Of `CellBench`, half of both edges included."""

GRID = 81
LARGEST_MOVE_METRE, LONGEST_STEPS = 2e-12, 40
RANDOM_KELVIN, RANDOM_WIDTH_KELVIN, RANDOM_STEP_SECOND = 450.0, 500.0, 1e-9
REFERENCE_OHM = 10e3


@dataclass(frozen=True)
class Variation:
    """What differs from cell to cell, cycle to cycle and read to read.

    Attributes:
        device: standard deviation of ln I0, and of the field's enhancement relative to it times 5.
        gap_metre_per_second: delta of the random gap term.
        read: relative standard deviation of a read of 10 kohm; it grows with the root of R.
    """

    device: float = 0.0
    gap_metre_per_second: float = 0.0
    read: float = 0.0


@dataclass(frozen=True)
class AccessTable:
    """Current of the access transistor in ampere, from drain to source.

    Attributes:
        set_volts: gate [n] and drain [m]; source at ground. `set_ampere` [n, m].
        reset_volts: source line [n] and drain as a part of it [m]; gate at the word supply.
            `reset_ampere` [n, m], from source line to drain.
    """

    set_gate: np.ndarray
    set_ampere: np.ndarray
    reset_source: np.ndarray
    reset_ampere: np.ndarray


def access_table(simulator: Simulator, process: Process) -> AccessTable:
    """Measure the transistor by operating points."""
    access = process.ACCESS

    def bench(gate: float | None) -> str:
        circuit = Circuit("access transistor")
        process.apply(circuit)
        circuit.V("gate", "gate", circuit.gnd, gate or 0.0)
        circuit.V("source", "source", circuit.gnd, 0.0)
        circuit.V("part", "part", circuit.gnd, 0.0)
        across = "V(part)" if gate is None else "V(part)*V(source)"
        circuit.B("drain", "drain", circuit.gnd, voltage_expression=across)
        circuit.X(
            "access", access.model, "drain", "gate", "source", circuit.gnd,
            **access.parameters,
        )  # fmt: skip
        return str(circuit)

    gates, sources = np.linspace(0.6, 3.0, 25), np.linspace(0.8, 3.0, 23)
    top = SET.bit_volt
    volts = simulator.analyse(
        f"{bench(None)}.save i(bdrain)\n.dc Vpart 0 {top + 1e-3:.9g} {top / (GRID - 1):.9g} "
        f"Vgate {gates[0]:.9g} {gates[-1] + 1e-3:.9g} {gates[1] - gates[0]:.9g}\n.end\n"
    )
    closing = -volts["bdrain#branch"].reshape(len(gates), GRID)
    volts = simulator.analyse(
        f"{bench(WORD_SUPPLY_VOLT)}.save i(bdrain)\n.dc Vpart 0 1.001 {1 / (GRID - 1):.9g} "
        f"Vsource {sources[0]:.9g} {sources[-1] + 1e-3:.9g} {sources[1] - sources[0]:.9g}\n.end\n"
    )
    opening = volts["bdrain#branch"].reshape(len(sources), GRID)
    return AccessTable(gates, closing, sources, opening)


@numba.njit(cache=True)
def _pulse(gap: np.ndarray, scale: np.ndarray, gamma0: np.ndarray, table: np.ndarray,
           grid: np.ndarray, full_volt: float, sign: float, kelvin: float, constants: np.ndarray,
           random: float, generator: np.random.Generator) -> None:  # fmt: skip
    """Move the gaps of cells by one pulse; `table` has a row of currents for each cell against the
    device's voltage, `grid` as a part of `full_volt`.
    """
    g0, v0, loss, g1, hop, rth, activation, velocity0, low, high, limit = constants
    for cell in range(len(gap)):
        g, left = gap[cell], PULSE_SECOND
        while left > 0.0:
            current_scale = scale[cell] * math.exp(-g / g0)
            bottom, top = 0.0, full_volt
            for _ in range(26):
                volt = 0.5 * (bottom + top)
                place = volt / full_volt * (len(grid) - 1)
                index = min(int(place), len(grid) - 2)
                share = place - index
                given = table[cell, index] * (1 - share) + table[cell, index + 1] * share
                if current_scale * math.sinh(volt / v0) > given:
                    top = volt
                else:
                    bottom = volt
            current = current_scale * math.sinh(volt / v0)
            hot = kelvin + rth * volt * current
            thermal = BOLTZMANN * hot
            lowering = hop * (gamma0[cell] - loss * (g / g1) ** 3) * sign * volt
            closing = 1 / (1 + math.exp(min((activation - lowering) / thermal, 300.0)))
            opening = 1 / (1 + math.exp(min((activation + lowering) / thermal, 300.0)))
            velocity = (
                velocity0
                / 2
                * (
                    (1 - math.exp(min((g - high) / limit, 1.0))) * opening
                    - (1 - math.exp(min((low - g) / limit, 1.0))) * closing
                )
            )
            step = min(left, PULSE_SECOND / LONGEST_STEPS)
            if velocity != 0.0:
                step = min(step, LARGEST_MOVE_METRE / abs(velocity))
            spread = random / (1 + math.exp((RANDOM_KELVIN - hot) / RANDOM_WIDTH_KELVIN))
            g += velocity * step
            if spread > 0.0:
                g += spread * math.sqrt(RANDOM_STEP_SECOND * step) * generator.standard_normal()
            g = min(max(g, low), high)
            left -= step
        gap[cell] = g


class FastCells:
    """Cells from the fully reset state, each of its own parameters.

    Args:
        count: of cells; each method acts on all, or on those chosen.
    """

    def __init__(
        self,
        card: RramCard,
        process: Process,
        table: AccessTable,
        count: int,
        variation: Variation = Variation(),
        seed: int = 0,
    ) -> None:
        generator = np.random.default_rng(seed)
        self.card, self.table, self.variation = card, table, variation
        self.on_ohm = process.ACCESS.on_ohm
        self.kelvin = process.temperature_celsius + KELVIN_AT_ZERO_CELSIUS
        self.gap_metre = np.full(count, card.maximum_gap_metre)
        draws = variation.device * generator.standard_normal((2, count))
        self.scale = card.current_scale_ampere * np.exp(draws[0])
        self.gamma0 = card.field_enhancement * (1 + draws[1] / 5)
        self._generator = generator

    def read(self) -> np.ndarray:
        """Conductances in siemens at the read bias, with read noise."""
        device = self.scale * np.exp(-self.gap_metre / self.card.gap_scale_metre)
        ohm = READ_VOLT / (device * math.sinh(READ_VOLT / self.card.voltage_scale_volt))
        whole = ohm + self.on_ohm
        noise = self.variation.read * np.sqrt(whole / REFERENCE_OHM)
        return np.asarray((1 + noise * self._generator.standard_normal(len(ohm))) / whole)

    def pulse(self, cells: np.ndarray, word_volt: np.ndarray, source_volt: np.ndarray) -> None:
        """A SET (source line at 0) or RESET pulse, each cell its own voltages [cells]."""
        for closing in (True, False):
            mine = (source_volt == 0.0) == closing
            chosen = cells[mine]
            if not len(chosen):
                continue
            if closing:
                at, rows, full = word_volt[mine], self.table.set_ampere, SET.bit_volt
                known = self.table.set_gate
            else:
                at, rows = source_volt[mine], self.table.reset_ampere
                known, full = self.table.reset_source, 1.0
            # Current against the device's own voltage, which is what the transistor leaves.
            place = np.clip(np.interp(at, known, np.arange(len(known))), 0, len(known) - 1)
            index = np.minimum(place.astype(int), len(known) - 2)
            share = (place - index)[:, None]
            currents = rows[index] * (1 - share) + rows[index + 1] * share
            if closing:
                currents = currents[:, ::-1]
            self._move(chosen, np.ascontiguousarray(currents), full if closing else at, closing)

    def _move(self, cells: np.ndarray, currents: np.ndarray, full: object, closing: bool) -> None:
        card, grid = self.card, np.linspace(0, 1, GRID)
        constants = np.array([
            card.gap_scale_metre, card.voltage_scale_volt, card.field_enhancement_loss,
            card.field_gap_scale_metre, card.hop_distance_metre / card.oxide_thickness_metre,
            card.thermal_resistance_kelvin_per_watt, card.activation_energy_electronvolt,
            card.velocity_scale_metre_per_second, card.minimum_gap_metre, card.maximum_gap_metre,
            card.limiting_length_metre,
        ])  # fmt: skip
        volts = np.broadcast_to(np.asarray(full, dtype=float), len(cells))
        for volt in np.unique(volts):
            same = volts == volt
            chosen = cells[same]
            gap = self.gap_metre[chosen]
            _pulse(
                gap, self.scale[chosen], self.gamma0[chosen], currents[same], grid, float(volt),
                1.0 if closing else -1.0, self.kelvin, constants,
                self.variation.gap_metre_per_second, self._generator,
            )  # fmt: skip
            self.gap_metre[chosen] = gap


@dataclass(frozen=True)
class Programmed:
    """What came of programming many cells: conductances (without read noise) and pulses, each
    [cells], and whether write-verify took them for done.
    """

    target_siemens: np.ndarray
    siemens: np.ndarray
    pulses: np.ndarray
    done: np.ndarray


def program_all(cells: FastCells, target: np.ndarray, recipe: WriteVerify) -> Programmed:
    """`cosim.circuits.cell_1t1r.program`, all cells side by side."""
    count = len(target)
    gate, gate_step = np.full(count, recipe.gate_start_volt), np.full(count, recipe.gate_step_volt)
    source = np.full(count, recipe.source_start_volt)
    source_step = np.full(count, recipe.source_step_volt)
    siemens, pulses = cells.read(), np.zeros(count, int)
    for _ in range(recipe.maximum_pulses):
        waiting = np.flatnonzero(np.abs(siemens - target) > recipe.tolerance_siemens)
        if not len(waiting):
            break
        rise = siemens[waiting] < target[waiting]
        word = np.where(rise, gate[waiting], RESET.word_volt)
        cells.pulse(waiting, word, np.where(rise, 0.0, source[waiting]))
        gate[waiting[rise]] = np.minimum(
            gate[waiting[rise]] + gate_step[waiting[rise]], WORD_SUPPLY_VOLT
        )
        source[waiting[~rise]] = np.minimum(
            source[waiting[~rise]] + source_step[waiting[~rise]], WORD_SUPPLY_VOLT
        )
        pulses[waiting] += 1
        read = cells.read()
        siemens[waiting] = read[waiting]
        passed = (siemens[waiting] < target[waiting]) != rise
        for ramp, step, side in ((gate, gate_step, rise), (source, source_step, ~rise)):
            back = waiting[passed & side]
            ramp[back] -= 2 * step[back]
            step[back] /= 2
    done = np.abs(siemens - target) <= recipe.tolerance_siemens
    cells.variation = replace(cells.variation, read=0.0)
    return Programmed(target, cells.read(), pulses, done)
