"""Process: the transistor models of a netlist, their corner, temperature and statistics.

A process is a subclass of `Process`: one of the modules beside this one, of a package with an
entry point in the group `cosim.processes`, or of a Python file. What its values mean is said
here; `tests/process/test_process.py` measures those of every process again.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.errors import ConfigurationError, NetlistError
from cosim.plugins import Registry, subclass_of

MICRO = 1e-6
LENGTH_METRE = 1e-6
"""Of the transistors that are sized by design points."""

PAIR_GM_OVER_ID = 14.0
MIRROR_GM_OVER_ID = 10.0
SOURCE_GM_OVER_ID = 8.0
"""Chosen transconductance for each ampere of drain current, 1/V: of p-channel input pairs
(moderate inversion, for gain and noise), n-channel mirrors and p-channel current sources (strong
inversion, for matching). Source: Murmann and Jespers, Systematic Design of Analog CMOS Circuits,
2017, chapter 1."""


@dataclass(frozen=True)
class DesignPoint:
    """A transistor of 1 um length at its chosen gm/I_D: drain current for each square (W/L), and
    the gate-source voltage there. Extracted at the typical corner, 27 C, drain to source 1 V.
    """

    current_per_square_ampere: float
    gate_source_volt: float


def fet_parameters(
    width_metre: float, length_metre: float, diffusion_metre: float
) -> dict[str, str]:
    """Of a transistor's line: w and l, and of its drain and source the area (ad, as) and perimeter
    (pd, ps; with the gate's edge), from which the model has their capacitance and leakage.

    Each has its own diffusions, `diffusion_metre` long, on both sides of its gate: layouts that
    share them between neighbours have less.
    """
    width, diffusion = width_metre / MICRO, diffusion_metre / MICRO
    area, perimeter = f"{width * diffusion:.6g}p", f"{2 * (width + diffusion):.6g}u"
    return {
        "w": f"{width:.6g}u", "l": f"{length_metre / MICRO:.6g}u",
        "ad": area, "as": area, "pd": perimeter, "ps": perimeter,
    }  # fmt: skip


@dataclass(frozen=True)
class AccessTransistor:
    """The n-channel access transistor of a 1T1R cell; thick oxide, as forming needs 3.3 V.

    Attributes:
        on_ohm: its resistance at the cell's read bias; typical, 27 C.
        diffusion_metre: the process's.
    """

    model: str
    length_metre: float
    on_ohm: float
    diffusion_metre: float
    width_metre: float = 5e-6

    @property
    def parameters(self) -> dict[str, str]:
        """Of its line."""
        return fet_parameters(self.width_metre, self.length_metre, self.diffusion_metre)


@dataclass(frozen=True)
class Bipolar:
    """The substrate pnp transistor (collector, base, emitter), as bandgap references use it.

    Attributes:
        base_emitter_volt: at 5.4 uA, typical, 27 C.
        volt_per_kelvin: its slope with a current in proportion to the temperature, -40 to 125 C.
    """

    model: str
    base_emitter_volt: float
    volt_per_kelvin: float


@dataclass(frozen=True)
class Process(ABC):
    """Transistors at one corner and temperature.

    Attributes:
        corner: one of `CORNERS` (n and p: typical, fast, slow, fast-slow, slow-fast).
        temperature_celsius: of every device.
        monte_carlo_seed: draws global variation and mismatch of every transistor from this seed,
            around the typical corner; at another corner, which is a global variation, mismatch
            alone, where the process has it; None for no variation.
        model_folder: of model files, as written in the netlist; by default where they are
            installed. A process whose cards are in the netlist has no use for it.

    A subclass gives:
        N_MODEL, P_MODEL: its 3.3 V ones (drain, gate, source, bulk; w, l, m, ad, as, pd, ps).
        THICK_N_MODEL, THICK_P_MODEL, THICK_LENGTH_METRE: of those for 5 V; shortest n and p length.
        LENGTH_METRE, WIDTH_METRE: for which its 3.3 V models hold.
        DIFFUSION_METRE: length of a drain or source with a row of contacts.
        PAIR, MIRROR, SOURCE: design points for the gm/I_D values above.
        ACCESS: a cell's transistor.
        BIPOLAR: the substrate pnp.
        SWITCH_OHM: on-resistance at mid-rail of a transmission gate of 4 um, shortest length.
        QUAD_FACTOR: K of the multiplier's quad, between 1/2 and 1 (see `multiplier`).
        CORNER_MISMATCH: whether it draws mismatch at every corner.

    Raises:
        ConfigurationError: unknown corner, or a seed below 1 or at a corner without draws.
    """

    corner: str = "typical"
    temperature_celsius: float = 27.0
    monte_carlo_seed: int | None = None
    model_folder: Path | None = None

    CORNERS: ClassVar[tuple[str, ...]] = ("typical", "ff", "ss", "fs", "sf")
    NAME: ClassVar[str]
    N_MODEL: ClassVar[str]
    P_MODEL: ClassVar[str]
    THICK_N_MODEL: ClassVar[str]
    THICK_P_MODEL: ClassVar[str]
    THICK_LENGTH_METRE: ClassVar[tuple[float, float]]
    LENGTH_METRE: ClassVar[tuple[float, float]]
    WIDTH_METRE: ClassVar[tuple[float, float]]
    DIFFUSION_METRE: ClassVar[float]
    PAIR: ClassVar[DesignPoint]
    MIRROR: ClassVar[DesignPoint]
    SOURCE: ClassVar[DesignPoint]
    ACCESS: ClassVar[AccessTransistor]
    BIPOLAR: ClassVar[Bipolar]
    SWITCH_OHM: ClassVar[float]
    QUAD_FACTOR: ClassVar[float]
    CORNER_MISMATCH: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.corner not in self.CORNERS:
            raise ConfigurationError(
                f"{self.NAME} has no corner '{self.corner}'. Choose one of "
                f"{', '.join(self.CORNERS)}."
            )
        drawn = self.monte_carlo_seed is not None
        if drawn and self.corner != "typical" and not self.CORNER_MISMATCH:
            raise ConfigurationError(
                f"Monte Carlo of {self.NAME} draws around the typical corner, but the corner is "
                f"'{self.corner}'. Leave out the one or the other."
            )
        if self.monte_carlo_seed is not None and self.monte_carlo_seed < 1:
            raise ConfigurationError(
                f"The Monte Carlo seed is {self.monte_carlo_seed}, and ngspice takes none below 1 "
                "(it would draw others each time). Count from 1."
            )

    @abstractmethod
    def apply(self, circuit: Circuit) -> None:
        """Add the models, corner, temperature and statistics to `circuit`."""

    @abstractmethod
    def apply_bipolar(self, circuit: Circuit) -> None:
        """Add the bipolar models, after `apply`."""

    def nfet(
        self,
        subcircuit: SubCircuit,
        name: str,
        nodes: tuple[str, str, str, str],
        width_metre: float,
        length_metre: float,
        multiplier: int = 1,
    ) -> None:
        """Add `multiplier` n-channel transistors in parallel; `nodes` are drain, gate, source,
        bulk. One that is wider than the models hold for becomes several of equal width.

        Raises:
            NetlistError: a geometry outside the models' range.
        """
        self._fet(subcircuit, self.N_MODEL, name, nodes, width_metre, length_metre, multiplier)

    def pfet(
        self,
        subcircuit: SubCircuit,
        name: str,
        nodes: tuple[str, str, str, str],
        width_metre: float,
        length_metre: float,
        multiplier: int = 1,
    ) -> None:
        """Add p-channel transistors; as `nfet`."""
        self._fet(subcircuit, self.P_MODEL, name, nodes, width_metre, length_metre, multiplier)

    def thick(
        self,
        subcircuit: SubCircuit,
        name: str,
        channel: str,
        nodes: tuple[str, str, str, str],
        width_metre: float,
    ) -> None:
        """Add a thick-oxide transistor of the shortest length; `channel` is n or p."""
        p_channel = channel == "p"
        subcircuit.X(
            name,
            self.THICK_P_MODEL if p_channel else self.THICK_N_MODEL,
            *nodes,
            **fet_parameters(width_metre, self.THICK_LENGTH_METRE[p_channel], self.DIFFUSION_METRE),
        )

    def _fet(
        self,
        subcircuit: SubCircuit,
        model: str,
        name: str,
        nodes: tuple[str, str, str, str],
        width_metre: float,
        length_metre: float,
        multiplier: int,
    ) -> None:
        fingers = max(1, math.ceil(width_metre / self.WIDTH_METRE[1]))
        for what, value, (low, high) in (
            ("width", width_metre / fingers, self.WIDTH_METRE),
            ("length", length_metre, self.LENGTH_METRE),
        ):
            if not low <= value <= high:
                raise NetlistError(
                    f"Transistor {name} of {subcircuit.name}: {what} {value / MICRO:.4g} um is "
                    f"outside what {model} is modelled for, {low / MICRO:g} to {high / MICRO:g} "
                    "um. Choose another geometry, or several transistors in series."
                )
        subcircuit.X(
            name,
            model,
            *nodes,
            **fet_parameters(width_metre / fingers, length_metre, self.DIFFUSION_METRE),
            m=fingers * multiplier,
        )


PROCESSES: Registry[type[Process]] = Registry(
    kind="process",
    group="cosim.processes",
    accept=subclass_of(Process),
    built_in={
        "gf180mcu": "cosim.process.gf180mcu:GF180MCU",
        "generic180": "cosim.process.generic180:Generic180",
        "sky130": "cosim.process.sky130:Sky130",
    },
)


def processes() -> dict[str, type[Process]]:
    """Every process by its name; a warning names those of plug-ins that cannot be loaded."""
    return PROCESSES.all()


def find_process(name: str) -> type[Process]:
    """A process by its name, or by the Python file that defines it.

    Raises:
        ConfigurationError: there is none, or it cannot be loaded.
    """
    return PROCESSES.find(name)
