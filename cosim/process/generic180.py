"""generic180: own BSIM3v3 cards of a 180 nm CMOS process's 3.3 V and 5 V transistors.

For machines without the PDK's package, and for comparison: no foundry's process. The cards are
written into the netlist. Values are rounded from published ones:
- 3.3 V, oxide of 7.6 nm: MOSIS's BSIM3v3.1 parameters of wafer run N88Y (0.35 um). 180 nm processes
  keep that oxide for their 3.3 V transistors.
- 5 V, oxide of 13.9 nm: MOSIS's parameters of 0.5 um runs (n: 0.67 V, 458 cm2/Vs; p: -0.92 V,
  212 cm2/Vs).
- Temperature: BSIM3v3 User's Manual, appendix A (defaults: UTE -1.5, KT1 -0.11 V).
- Mismatch of the threshold: 1 mV um for each nm of oxide, over sqrt(W L); of the current factor,
  1 % um (Pelgrom et al., IEEE JSSC 24(5), 1989; Tuinhout, ESSDERC 2002).
- Substrate pnp of 100 um2: saturation current 1e-17 A, current gain 4 [assumed].
- Corners: 60 mV of threshold and 6 % of mobility, three sigma of the global variation [assumed].
"""

from dataclasses import dataclass

import numpy as np
from PySpice.Spice.Netlist import Circuit

from cosim.process.process import AccessTransistor, Bipolar, DesignPoint, Process

CORNER_VOLT, CORNER_MOBILITY = 0.06, 0.06
SIGMAS = 3
THRESHOLD_MISMATCH_VOLT_METRE_PER_METRE = 1e-3 * 1e-6 / 1e-9
CURRENT_MISMATCH_METRE = 0.01 * 1e-6

_SHARED = "level=49 version=3.3.0 tnom=27 mobmod=1 capmod=3 noimod=1 ute=-1.5 kt1=-0.11"
_JUNCTION = "cj=0.9m mj=0.4 pb=0.8 cjsw=0.3n mjsw=0.2 js=1u"


@dataclass(frozen=True)
class _Card:
    """A transistor; `p_channel` thresholds are negative."""

    name: str
    p_channel: bool
    tox_metre: float
    threshold_volt: float
    mobility: float
    parameters: str

    def definition(self, speed: float, mismatch: bool) -> str:
        """Its subcircuit.

        Args:
            speed: 1 at the fast corner, 0 typical, -1 slow.
        """
        sign = -1 if self.p_channel else 1
        threshold = self.threshold_volt - sign * speed * CORNER_VOLT
        mobility = self.mobility * (1 + speed * CORNER_MOBILITY)
        vary = ""
        if mismatch:
            pelgrom = THRESHOLD_MISMATCH_VOLT_METRE_PER_METRE * self.tox_metre
            vary = (
                f" delvto={{agauss(0,{pelgrom:.4g}/sqrt(w*l*m),1)}}"
                f" mulu0={{1+agauss(0,{CURRENT_MISMATCH_METRE:.4g}/sqrt(w*l*m),1)}}"
            )
        polarity = "pmos" if self.p_channel else "nmos"
        return (
            f".subckt {self.name} d g s b w=10u l=1u m=1 ad=0 as=0 pd=0 ps=0\n"
            f"m0 d g s b {self.name}_card w={{w}} l={{l}} m={{m}} ad={{ad}} as={{as}} "
            f"pd={{pd}} ps={{ps}}{vary}\n"
            f".model {self.name}_card {polarity} {_SHARED} tox={self.tox_metre:.4g} "
            f"vth0={threshold:.6g} u0={mobility:.6g}\n"
            f"+ {self.parameters}\n+ {_JUNCTION}\n"
            f".ends {self.name}\n"
        )


CARDS = (
    _Card("nfet_3v3", False, 7.6e-9, 0.50, 445.0,
        "xj=0.15u nch=1.7e17 k1=0.53 k2=0.02 nlx=0.29u ua=2.9e-10 ub=1.8e-18 uc=7.1e-11 "
        "vsat=1.13e5 a0=1.14 ags=0.28 rdsw=925 voff=-0.133 nfactor=0.57 eta0=2.1m dsub=0.026 "
        "pclm=0.68 pdiblc1=1 pdiblc2=1.8m drout=0.79 cgdo=0.28n cgso=0.28n kf=1e-26 af=1"),
    _Card("pfet_3v3", True, 7.6e-9, -0.66, 151.0,
        "xj=0.15u nch=1.7e17 k1=0.46 k2=-0.019 nlx=0.15u ua=2.1e-10 ub=1.8e-18 uc=-9e-12 "
        "vsat=9.9e4 a0=1.12 ags=0.40 rdsw=1800 voff=-0.14 nfactor=1.0 eta0=10m dsub=0.2 "
        "pclm=2.0 pdiblc1=0.1 pdiblc2=1m drout=0.5 cgdo=0.3n cgso=0.3n kf=2e-27 af=1"),
    _Card("nfet_5v0", False, 13.9e-9, 0.67, 458.0,
        "xj=0.15u nch=1.7e17 k1=0.9 k2=-0.1 vsat=1.7e5 rdsw=1200 nfactor=0.5 "
        "cgdo=0.2n cgso=0.2n kf=1e-26 af=1"),
    _Card("pfet_5v0", True, 13.9e-9, -0.92, 212.0,
        "xj=0.15u nch=1.7e17 k1=0.55 k2=0.01 vsat=1.8e5 rdsw=3000 nfactor=0.8 "
        "cgdo=0.24n cgso=0.24n kf=2e-27 af=1"),
)  # fmt: skip


@dataclass(frozen=True)
class Generic180(Process):
    """Own cards; see the module."""

    NAME = "generic180"
    N_MODEL, P_MODEL = "nfet_3v3", "pfet_3v3"
    THICK_N_MODEL, THICK_P_MODEL = "nfet_5v0", "pfet_5v0"
    THICK_LENGTH_METRE = (0.6e-6, 0.6e-6)
    LENGTH_METRE = (0.35e-6, 50e-6)
    WIDTH_METRE = (0.4e-6, 100e-6)
    DIFFUSION_METRE = 0.5e-6
    PAIR = DesignPoint(0.340e-6, 0.806)
    MIRROR = DesignPoint(2.46e-6, 0.760)
    SOURCE = DesignPoint(1.476e-6, 0.944)
    ACCESS = AccessTransistor("nfet_5v0", 0.6e-6, 1182.0, DIFFUSION_METRE)
    BIPOLAR = Bipolar("pnp_generic", 0.693, -1.768e-3)
    SWITCH_OHM = 828.0
    QUAD_FACTOR = 0.694
    CORNER_MISMATCH = True

    def apply(self, circuit: Circuit) -> None:
        """Write the cards at the corner; see `Process`."""
        mismatch = self.monte_carlo_seed is not None
        n_speed, p_speed = {
            "typical": (0.0, 0.0), "ff": (1.0, 1.0), "ss": (-1.0, -1.0), "fs": (1.0, -1.0),
            "sf": (-1.0, 1.0),
        }[self.corner]  # fmt: skip
        if mismatch:
            circuit.raw_spice += f".options seed={self.monte_carlo_seed}\n"
        if mismatch and self.corner == "typical":
            # Drawn here: a .param with agauss is drawn anew for each device.
            n_speed, p_speed = np.random.default_rng(self.monte_carlo_seed).normal(0, 1 / SIGMAS, 2)
        circuit.raw_spice += "".join(
            card.definition(p_speed if card.p_channel else n_speed, mismatch) for card in CARDS
        )
        circuit.raw_spice += f".temp {self.temperature_celsius!r}\n"

    def apply_bipolar(self, circuit: Circuit) -> None:
        """Write the card of the substrate pnp, which has no corners."""
        circuit.raw_spice += (
            ".subckt pnp_generic c b e\n"
            "q0 c b e pnp_generic_card\n"
            ".model pnp_generic_card pnp is=1e-17 bf=4 vaf=200 xti=3 eg=1.17 rb=30 re=1 rc=10 "
            "cje=0.1p cjc=0.05p tf=1n\n"
            ".ends pnp_generic\n"
        )
