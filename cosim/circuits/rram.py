"""RRAM cell: the Stanford-PKU model, whose state is the tunnelling gap g, and a read-only cell.

    I = I0 exp(-g/g0) sinh(V/V0),   T = T_ambient + |V I| Rth,   gamma = gamma0 - beta (g/g1)^3
    dg/dt = -v0 exp(-Ea/kT) sinh(gamma a0 q V / (L k T)),   g within [g_min, g_max]

V > 0, top against bottom, is SET (the gap closes), V < 0 is RESET.
Source: Guan, Yu and Wong, IEEE EDL 33(10), 2012; Jiang et al., IEEE TED 63(5), 2016.
"""

import math
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from PySpice.Spice.Netlist import SubCircuit

from cosim.errors import ConfigurationError, NetlistError
from cosim.netlist.netlist import comment

DEFAULT_CARD = Path(__file__).resolve().parents[2] / "models" / "rram_hfox.toml"

BOLTZMANN_ELECTRONVOLT_PER_KELVIN = 8.617333262e-5
KELVIN_AT_ZERO_CELSIUS = 273.15
NANO = 1e-9

# The state is the voltage of a capacitor, 1 V for 1 nm of gap.
STATE_FARAD = 1e-3
# Gives the state a DC path, to the initial gap; its time constant is 1e6 s.
HOLD_OHM = 1e9

# 0 in a DC analysis and at the operating point of a transient one, then a value. (The simulator's
# variable `time` would not do: in a DC sweep it is the swept value.)
TRANSIENT_ONLY = "PWL(0 0 1p {!r})"


class ReadNoise(BaseModel):
    """Fluctuation of a conductance, relative to it: 1/f noise and one random-telegraph trap.

    Attributes:
        flicker_power: K of the one-sided spectrum K/f of dG/G (it has no unit).
        telegraph_amplitude: step of dG/G when the trap is filled or emptied.
        capture_second, emission_second: mean times that the trap stays empty, and filled.
        source: where the values come from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    flicker_power: float = Field(ge=0)
    telegraph_amplitude: float = Field(ge=0, lt=1)
    capture_second: float = Field(gt=0)
    emission_second: float = Field(gt=0)
    source: str

    @property
    def telegraph_mean(self) -> float:
        """Mean of the telegraph signal, which lies between 0 and its amplitude."""
        filled = self.emission_second / (self.capture_second + self.emission_second)
        return self.telegraph_amplitude * filled


class RramCard(BaseModel):
    """Parameters of the model, each with its source.

    Attributes:
        current_scale_ampere, gap_scale_metre, voltage_scale_volt: I0, g0, V0.
        velocity_scale_metre_per_second, activation_energy_electronvolt: v0, Ea.
        hop_distance_metre, oxide_thickness_metre: a0, L.
        field_enhancement, field_enhancement_loss, field_gap_scale_metre: gamma0, beta, g1.
        thermal_resistance_kelvin_per_watt: Rth.
        limiting_length_metre: distance from a bound within which the gap slows down.
        fitted: the parameters that are not published values but fitted.
        sources: of each parameter, and the `reference` they share.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str
    oxide_thickness_metre: float = Field(gt=0)
    minimum_gap_metre: float = Field(gt=0)
    maximum_gap_metre: float = Field(gt=0)
    hop_distance_metre: float = Field(gt=0)
    activation_energy_electronvolt: float = Field(gt=0)
    current_scale_ampere: float = Field(gt=0)
    gap_scale_metre: float = Field(gt=0)
    voltage_scale_volt: float = Field(gt=0)
    velocity_scale_metre_per_second: float = Field(gt=0)
    field_enhancement: float = Field(gt=0)
    field_enhancement_loss: float = Field(ge=0)
    field_gap_scale_metre: float = Field(gt=0)
    thermal_resistance_kelvin_per_watt: float = Field(ge=0)
    limiting_length_metre: float = Field(gt=0)
    fitted: tuple[str, ...]
    sources: dict[str, str]
    read_noise: ReadNoise

    @model_validator(mode="after")
    def _consistent(self) -> "RramCard":
        if not self.minimum_gap_metre < self.maximum_gap_metre < self.oxide_thickness_metre:
            raise ValueError("minimum gap < maximum gap < oxide thickness does not hold")
        if self.gamma(self.maximum_gap_metre) <= 0:
            raise ValueError("field_enhancement_loss makes gamma negative at the maximum gap")
        about = {"name", "description", "fitted", "sources", "read_noise"}
        parameters = set(type(self).model_fields) - about
        if set(self.sources) != parameters | {"reference"}:
            odd = sorted(set(self.sources) ^ (parameters | {"reference"}))
            raise ValueError(f"each parameter needs one source; missing or unknown: {odd}")
        if unknown := sorted(set(self.fitted) - parameters):
            raise ValueError(f"fitted names unknown parameters: {unknown}")
        return self

    def gamma(self, gap_metre: float) -> float:
        """Local enhancement of the field."""
        ratio = gap_metre / self.field_gap_scale_metre
        return self.field_enhancement - self.field_enhancement_loss * ratio**3

    def current(self, gap_metre: float, volt: float) -> float:
        """Current in ampere at a gap and a voltage, top against bottom."""
        scale = self.current_scale_ampere * math.exp(-gap_metre / self.gap_scale_metre)
        return scale * math.sinh(volt / self.voltage_scale_volt)

    def conductance(self, gap_metre: float, read_volt: float) -> float:
        """I/V in siemens at a read voltage."""
        return self.current(gap_metre, read_volt) / read_volt

    def gap(self, siemens: float, read_volt: float) -> float:
        """The gap in metre at which I/V at `read_volt` is `siemens`.

        Raises:
            NetlistError: no gap within the bounds has that conductance.
        """
        largest = self.conductance(0.0, read_volt)
        gap = self.gap_scale_metre * math.log(largest / siemens) if siemens > 0 else math.inf
        if not self.minimum_gap_metre <= gap <= self.maximum_gap_metre:
            low, high = (
                self.conductance(bound, read_volt)
                for bound in (self.maximum_gap_metre, self.minimum_gap_metre)
            )
            raise NetlistError(
                f"RRAM '{self.name}' cannot have {siemens:.4g} S at {read_volt:g} V: its gap "
                f"allows {low:.4g} to {high:.4g} S. Choose a conductance in that range."
            )
        return gap

    def gap_velocity(self, gap_metre: float, volt: float, temperature_celsius: float) -> float:
        """dg/dt in metre per second, away from the bounds."""
        heating = abs(volt * self.current(gap_metre, volt))
        kelvin = temperature_celsius + KELVIN_AT_ZERO_CELSIUS
        kelvin += heating * self.thermal_resistance_kelvin_per_watt
        thermal_volt = BOLTZMANN_ELECTRONVOLT_PER_KELVIN * kelvin
        field = self.gamma(gap_metre) * self.hop_distance_metre / self.oxide_thickness_metre
        rate = math.exp(-self.activation_energy_electronvolt / thermal_volt)
        return -self.velocity_scale_metre_per_second * rate * math.sinh(field * volt / thermal_volt)

    def read_time(
        self, siemens: float, volt: float, temperature_celsius: float, relative_change: float
    ) -> float:
        """Seconds of reading at `volt` that change a conductance by `relative_change`."""
        velocity = self.gap_velocity(self.gap(siemens, volt), volt, temperature_celsius)
        return relative_change * self.gap_scale_metre / abs(velocity)

    def agreement_volt(self, read_volt: float, tolerance: float) -> float:
        """Up to which voltage I/V differs from I/V at `read_volt` by at most `tolerance`.

        The curvature is sinh(x)/x = 1 + x^2/6 + x^4/120 with x = V/V0, so the bound is that of a
        quadratic in x^2. Raises NetlistError where I/V at 0 V already differs by more.
        """
        x = read_volt / self.voltage_scale_volt
        at_read = math.sinh(x) / x
        if at_read - 1 > tolerance * at_read:
            raise NetlistError(
                f"RRAM '{self.name}': I/V at {read_volt:g} V is {at_read - 1:.2%} above that at "
                f"0 V, more than the tolerance {tolerance:.2%}. Read at a lower voltage."
            )
        excess = at_read * (1 + tolerance) - 1
        square = 10 * (math.sqrt(1 + 1.2 * excess) - 1)
        return math.sqrt(square) * self.voltage_scale_volt


def load_card(path: Path = DEFAULT_CARD) -> RramCard:
    """Read a device card.

    Raises:
        ConfigurationError: it cannot be read, is not TOML, or its values are not a card.
    """
    try:
        return RramCard.model_validate(tomllib.loads(path.read_text(encoding="utf8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"The RRAM device card {path} cannot be read: {error}. Give the path of a TOML file "
            f"such as {DEFAULT_CARD.name}."
        ) from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the card'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise ConfigurationError(
            f"{path} is not an RRAM device card: {faults}. Correct these keys; "
            f"{DEFAULT_CARD.name} is an example."
        ) from None


def fit_current_scale(card: RramCard, highest_siemens: float, read_volt: float) -> float:
    """I0 in ampere that gives the smallest gap the conductance `highest_siemens`."""
    have = card.conductance(card.minimum_gap_metre, read_volt)
    return card.current_scale_ampere * highest_siemens / have


def nanometre(gap_metre: float) -> str:
    """A gap as the netlist's number."""
    return f"{gap_metre / NANO:.12g}"


class RramDevice(SubCircuit):
    """Nodes: top, bottom. Parameter: initial_gap, in nm.

    At an operating point the gap is the initial one; it moves in a transient analysis.
    """

    PARAMETER = "initial_gap"

    def __init__(self, name: str, card: RramCard) -> None:
        super().__init__(name, "top", "bottom", initial_gap=nanometre(card.maximum_gap_metre))
        self.card = card

    def programmed(self, siemens: float, read_volt: float) -> dict[str, str]:
        """The parameter for a conductance at a read voltage.

        Raises:
            NetlistError: as `RramCard.gap`.
        """
        return {self.PARAMETER: nanometre(self.card.gap(siemens, read_volt))}


class Rram(RramDevice):
    """The model as a subcircuit that any ngspice runs.

    Inside, node `gap` is the state, 1 V for 1 nm, and node `temperature` is in kelvin.
    """

    def __init__(self, card: RramCard) -> None:
        super().__init__(card.name, card)
        # Every exponent is bounded, so that Newton's trial points stay finite: ngspice cannot
        # leave a trial point that is not a number, however small its next step.
        gap = nanometre(card.gap_scale_metre)
        current = (
            f"{card.current_scale_ampere!r}*exp(-max(V(gap),0)/{gap})"
            f"*sinh(min(max(V(top,bottom)/{card.voltage_scale_volt!r},-40),40))"
        )
        self.B("current", "top", "bottom", current_expression=current)
        self.B(
            "temperature",
            "temperature",
            self.gnd,
            voltage_expression=(
                f"temper+{KELVIN_AT_ZERO_CELSIUS!r}"
                f"+{card.thermal_resistance_kelvin_per_watt!r}*V(top,bottom)*{current}"
            ),
        )
        comment(self, "cosim: allow power-of-negative because gaps are positive")
        self.B(
            "lowering",
            "lowering",
            self.gnd,
            voltage_expression=(
                f"{card.hop_distance_metre / card.oxide_thickness_metre:.12g}"
                f"*({card.field_enhancement!r}-{card.field_enhancement_loss!r}"
                f"*(V(gap)/{nanometre(card.field_gap_scale_metre)})^3)*V(top,bottom)"
            ),
        )
        # sinh as two exponentials, one for each direction: each slows down at its own bound, and
        # 1/(1 + exp(-x)) instead of exp(x) ends where the barrier is lowered to nothing.
        half_rate = STATE_FARAD * card.velocity_scale_metre_per_second / NANO / 2
        closing, opening = (
            f"/(1+exp(min(({card.activation_energy_electronvolt!r}{sign}V(lowering))"
            f"/({BOLTZMANN_ELECTRONVOLT_PER_KELVIN!r}*max(V(temperature),50)),300)))"
            for sign in ("-", "+")
        )
        limit = nanometre(card.limiting_length_metre)
        at_maximum = f"exp(min((V(gap)-{nanometre(card.maximum_gap_metre)})/{limit},1))"
        at_minimum = f"exp(min(({nanometre(card.minimum_gap_metre)}-V(gap))/{limit},1))"
        self.B(
            "velocity",
            self.gnd,
            "gap",
            current_expression=(
                f"V(moves)*{half_rate:.12g}*((1-{at_maximum}){opening}-(1-{at_minimum}){closing})"
            ),
        )
        self.V("moves", "moves", self.gnd, f"dc 0 {TRANSIENT_ONLY.format(1.0)}")
        self.C("gap", "gap", self.gnd, STATE_FARAD)
        self.R("hold", "gap", "initial", HOLD_OHM)
        self.V("initial", "initial", self.gnd, "{initial_gap}")


class ReadOnlyCell(SubCircuit):
    """A programmed conductance with read noise. Nodes: top, bottom. Parameter: resistance, ohm.

    Args:
        noise: fluctuation of the conductance in a transient analysis; None for none. ngspice 46
            draws its 1/f noise anew each time: no seed makes it repeat.
        step_second: time step of the noise; its spectrum ends at half its inverse.
    """

    PARAMETER = "resistance"

    def __init__(
        self, name: str, noise: ReadNoise | None = None, step_second: float = 10e-9
    ) -> None:
        super().__init__(name, "top", "bottom", resistance=1e4)
        self.R("cell", "top", "bottom", "{resistance}")
        if noise is None:
            return
        # ngspice's 1/f generator has the one-sided spectrum amplitude^2 / (pi f).
        flicker = math.sqrt(math.pi * noise.flicker_power)
        self.V(
            "fluctuation",
            "fluctuation",
            "mean",
            f"dc 0 trnoise(0 {step_second!r} 1 {flicker!r} {noise.telegraph_amplitude!r} "
            f"{noise.capture_second!r} {noise.emission_second!r})",
        )
        self.V("mean", "mean", self.gnd, f"dc 0 {TRANSIENT_ONLY.format(-noise.telegraph_mean)}")
        self.B(
            "fluctuation",
            "top",
            "bottom",
            current_expression="V(fluctuation)*V(top,bottom)/{resistance}",
        )

    def programmed(self, siemens: float, read_volt: float) -> dict[str, str]:
        """The parameter for a conductance, which is that at every voltage."""
        return {self.PARAMETER: f"{1 / siemens:.17g}"}
