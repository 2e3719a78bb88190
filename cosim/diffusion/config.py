"""A run as a TOML file: every choice with its default, validated, written back into the trace."""

import reprlib
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from cosim.circuits.fidelity import Fidelity
from cosim.circuits.opamp import TOPOLOGIES
from cosim.diffusion.accuracy import SMALL, TRANSISTORS, TRANSISTORS_AND_NOISE, Accuracy, Preset
from cosim.diffusion.circuit.mapping import ConductanceWindow
from cosim.diffusion.fidelities import BlockFidelities
from cosim.diffusion.scaling import RISE_SECOND, RISING_PRECHARGE_SECOND, Scaling
from cosim.diffusion.variant import Variant
from cosim.errors import ConfigurationError
from cosim.files import read_toml
from cosim.lockstep.scheme import SCHEMES
from cosim.netlist.netlist import Tolerances
from cosim.plugins import is_file, named_by_data


class Section(BaseModel):
    """A TOML table; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CouplingConfig(Section):
    """How torch and ngspice are stepped together."""

    scheme: str = Field("linearised", description="by name, or the Python file that defines it")
    step_second: float | None = Field(
        None, gt=0, description="largest step, and so communication step, instead of the preset's"
    )
    tolerance_volt: float | None = Field(
        None, gt=0, description="wanted coupling error, by which steps below that are chosen"
    )
    communication_second: float | None = Field(
        None, gt=0, description="fixed communication step: the score is renewed at its multiples"
    )
    exchange: Literal["process", "file"] = Field(
        "process", description="the score runs in the ngspice process, or is served through files"
    )

    @field_validator("scheme")
    @classmethod
    def _known(cls, name: str) -> str:
        if not is_file(name) and name not in SCHEMES.names:
            raise ValueError(f"must be one of {', '.join(SCHEMES.names)}, or a my.py")
        return name

    @model_validator(mode="after")
    def _one_way_of_stepping(self) -> "CouplingConfig":
        if self.tolerance_volt is not None and self.communication_second is not None:
            raise ValueError("tolerance_volt and communication_second exclude each other")
        return self


class AccuracyConfig(Section):
    """How exactly ngspice solves: tolerances and largest step; the manual has their errors."""

    preset: Preset = Preset.STANDARD


class ProcessConfig(Section):
    """Transistor models, their corner and temperature."""

    name: str = "gf180mcu"
    corner: str = "typical"
    temperature_celsius: float = Field(27.0, ge=-55, le=175)


class NoiseConfig(Section):
    """The reverse SDE's noise: draws of N(0, 1), each held for a part of the solve, or ngspice's
    own (`transient`), which no seed makes repeat. Converters renew their waveforms as often.
    """

    updates: int = Field(200, ge=2, le=100_000, description="draws in a solve, as on the bench")
    source: Literal["held", "transient"] = "held"


class OpAmpConfig(Section):
    """Op-amps of the integrators; offsets are also of those of a score network in the netlist."""

    topology: str = Field("miller", description="by name, or the Python file that defines it")
    offset_volt: float = Field(0.0, ge=0, description="standard deviation of input offsets")
    offset_seed: int = Field(0, ge=0, lt=2**63)

    @field_validator("topology")
    @classmethod
    def _known(cls, name: str) -> str:
        if not is_file(name) and name not in TOPOLOGIES.names:
            raise ValueError(f"must be one of {', '.join(TOPOLOGIES.names)}, or a my.py")
        return name


class CalibrationConfig(Section):
    """Measured gain and offset of each score output, which the last layer is programmed against:
    `cosim calibrate` gives them. And what converters add to the columns of each layer.
    """

    gains: tuple[Annotated[float, Field(gt=0.1, lt=10)], ...] = ()
    offsets_unit: tuple[Annotated[float, Field(gt=-10, lt=10)], ...] = ()
    biases_unit: tuple[tuple[Annotated[float, Field(gt=-10, lt=10)], ...], ...] = ()

    @model_validator(mode="after")
    def _of_each_output(self) -> "CalibrationConfig":
        if len(self.gains) != len(self.offsets_unit):
            raise ValueError("gains and offsets_unit must be of the same outputs")
        return self


class ConditionConfig(Section):
    """Class to generate, by its name in the task, and weight of classifier-free guidance."""

    label: str | None = None
    guidance: float = Field(0.0, ge=0, le=20)

    @model_validator(mode="after")
    def _guided_somewhere(self) -> "ConditionConfig":
        if self.guidance and self.label is None:
            raise ValueError("guidance needs a label to guide to")
        return self


class EnsembleConfig(Section):
    """Initial conditions: `samples` draws from N(0, prior_deviation^2 I); all of them at each of
    the process's `corners`, or with each of `monte_carlo` draws of its variation and mismatch
    (seeds 1, 2, ...).
    """

    samples: int = Field(1, ge=1, le=1_000_000)
    seed: int = Field(0, ge=0, lt=2**63)
    corners: tuple[str, ...] = ()
    monte_carlo: int | None = Field(None, ge=1, le=100_000)
    member: int | None = Field(None, ge=0, description="the only one to be simulated")
    prior_deviation: float | None = Field(
        None, gt=0, description="of the initial states; the task's unless given, 1 as published"
    )

    @model_validator(mode="after")
    def _one_kind_of_variant(self) -> "EnsembleConfig":
        if self.corners and self.monte_carlo:
            raise ValueError("give corners or monte_carlo: draws are around typical")
        size = self.samples * (self.monte_carlo or len(self.corners) or 1)
        if self.member is not None and self.member >= size:
            raise ValueError(f"member {self.member} is not one of the {size}, 0 to {size - 1}")
        return self


class LimitsConfig(Section):
    """What no member may exceed: what does is an event of the trace, and the run ends with an
    error after its report. The trace is kept.
    """

    error: float = Field(
        0.05, gt=0, description="largest error against the float64 reference, as a part of range"
    )
    coupling_volt: float = Field(
        0.1, gt=0, description="largest difference between a source and what its block says"
    )
    rail_margin_volt: float = Field(
        0.3, ge=0, description="how far recorded nodes may be outside ground and supply"
    )


NO_LIMITS = dict.fromkeys(LimitsConfig.model_fields, 1e9)
"""For what is to be seen beyond them: studies of where a circuit fails."""


class EngineConfig(Section):
    """Worker processes: `jobs` on this machine, or all of a Dask cluster's."""

    jobs: int = Field(1, ge=1, le=1024)
    timeout_second: float = Field(120.0, gt=0, description="longest wait for an accepted point")
    start_timeout_second: float = Field(
        600.0, gt=0, description="longest search for an operating point"
    )
    server_timeout_second: float = Field(
        120.0, gt=0, description="longest wait for the score's server to come, and for each answer"
    )
    memory_gibibyte: float | None = Field(
        None, gt=0, description="what an ngspice process may take"
    )
    scheduler: str | None = Field(None, description="address of a Dask scheduler")


class RunConfig(Section):
    """Everything that determines a run."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
    task: str
    score: Literal["torch", "analog", "split"] = "torch"
    equation: Literal["ode", "sde"] = "ode"
    parametrisation: Literal["score", "epsilon"] = Field(
        "score", description="what the network predicts: the score, or minus the noise"
    )
    sampling_scale: float | None = Field(
        None, gt=0, description="factor on beta in sampling; the task's unless given"
    )
    coupling: CouplingConfig = CouplingConfig()
    accuracy: AccuracyConfig = AccuracyConfig()
    fidelity: BlockFidelities = BlockFidelities()
    scaling: Scaling = Scaling()
    process: ProcessConfig = ProcessConfig()
    op_amp: OpAmpConfig = OpAmpConfig()
    window: ConductanceWindow = ConductanceWindow()
    noise: NoiseConfig = NoiseConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    condition: ConditionConfig = ConditionConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    limits: LimitsConfig = LimitsConfig()
    engine: EngineConfig = EngineConfig()

    @property
    def _accuracy(self) -> Accuracy:
        held = self.equation == "sde" and self.noise.source == "held"
        smooth = held and self.fidelity.dac is Fidelity.IDEAL
        noisy = TRANSISTORS_AND_NOISE if smooth else TRANSISTORS
        return (noisy if self.rises else SMALL)[self.accuracy.preset]

    @property
    def tolerances(self) -> Tolerances:
        """Of ngspice."""
        return self._accuracy.tolerances

    @property
    def step_second(self) -> float:
        """The largest step."""
        accuracy = self._accuracy
        longest = self.coupling.step_second or accuracy.step_second
        if accuracy.hold_part is None:
            return longest
        return min(longest, accuracy.hold_part * self.scaling.solve_second / self.noise.updates)

    @property
    def rises(self) -> bool:
        """Whether initial conditions rise in the precharge from an operating point at x = 0: that
        of a score network of transistors is known there alone.
        """
        return self.score != "torch" and Fidelity.TRANSISTOR in (
            self.fidelity.transimpedance,
            self.fidelity.relu,
        )

    @model_validator(mode="after")
    def _precharge_long_enough(self) -> "RunConfig":
        if not self.rises:
            return self
        if "precharge_second" not in self.scaling.model_fields_set:
            rising = self.scaling.model_copy(update={"precharge_second": RISING_PRECHARGE_SECOND})
            object.__setattr__(self, "scaling", rising)  # a default that follows from other keys
        if self.scaling.precharge_second < RISE_SECOND:
            raise ValueError(
                f"scaling.precharge_second is {self.scaling.precharge_second:g}, but with a score "
                f"network of transistors initial conditions rise for {RISE_SECOND:g} s: leave it "
                f"out (then it is {RISING_PRECHARGE_SECOND:g})"
            )
        return self

    @model_validator(mode="after")
    def _what_goes_together(self) -> "RunConfig":
        if self.noise.source == "transient" and self.fidelity.dac is not Fidelity.IDEAL:
            raise ValueError("converters hold known draws: noise.source must be 'held'")
        if self.score != "analog" and self.calibration.gains:
            raise ValueError("a calibration is of a score in the netlist: score must be 'analog'")
        if self.score != "torch" and self.window.read_noise:
            raise ValueError("window.read_noise is of cells in torch: it needs score 'torch'")
        if self.score == "split" and (self.condition.guidance or self.calibration.biases_unit):
            raise ValueError("a score split between netlist and torch is unguided and untrimmed")
        if self.score != "analog" and self.fidelity.reference is not Fidelity.IDEAL:
            raise ValueError(
                "a score in torch is against the ideal analog ground: fidelity.reference must be "
                "'ideal', or score 'analog'"
            )
        varied = self.ensemble.corners or self.ensemble.monte_carlo
        if varied and not self.fidelity.needs_process:
            raise ValueError(
                "ensemble.corners and ensemble.monte_carlo vary transistors, and there are none: "
                "choose fidelity 'transistor' for a block"
            )
        if self.coupling.exchange == "file":
            self._check_exchange()
        return self

    def _check_exchange(self) -> None:
        """A server answers one simulation on this machine, about a score that is in torch."""
        if self.score == "analog":
            raise ValueError(
                "coupling.exchange 'file' has the score served by another process, but score "
                "'analog' is in the netlist: choose 'torch' or 'split', or exchange 'process'"
            )
        ensemble = self.ensemble
        if (
            ensemble.samples > 1
            or ensemble.corners
            or ensemble.monte_carlo
            or self.engine.scheduler
        ):
            raise ValueError(
                "coupling.exchange 'file' is for a single run on this machine: ensemble.samples "
                "must be 1, without corners, monte_carlo and engine.scheduler, or exchange "
                "'process'"
            )

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The transistors of the ensemble; each variant has all samples."""
        ensemble, corner = self.ensemble, self.process.corner
        if ensemble.monte_carlo is not None:
            seeds = range(1, ensemble.monte_carlo + 1)
            return tuple(Variant(corner, seed) for seed in seeds)
        return tuple(Variant(corner, None) for corner in ensemble.corners or (corner,))

    def to_toml(self) -> str:
        """The whole configuration, defaults included."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def parse(values: dict[str, Any], where: str) -> RunConfig:
    """Validate a configuration.

    Args:
        values: nested tables.
        where: the file or command line it came from, for the message.

    Raises:
        ConfigurationError: naming each key, what was found and what was expected.
    """
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(
            _fault(".".join(map(str, fault["loc"])), fault["type"], fault["input"], fault["msg"])
            for fault in error.errors()
        )
        raise ConfigurationError(
            f"{where} does not describe a run: {faults}. Correct these keys; "
            "`cosim run --help` and cosim/docs/reference/run_file.md list them."
        ) from None


def _fault(key: str, kind: str, found: Any, message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not key:  # what does not go together
        return message
    return (
        f"key '{key}' is missing"
        if kind == "missing"
        else f"key '{key}' is {reprlib.repr(found)}: {message}"
    )


def run_values(path: Path) -> dict[str, Any]:
    """Values of a run file; its name is the file's. What a Python file defines is in its folder.

    Raises:
        ConfigurationError: as `read_toml`, or a Python file elsewhere.
    """
    return without_code({"name": path.stem, **read_toml(path)}, f"The run file {path}", path.parent)


def without_code(values: dict[str, Any], where: str, folder: Path | None) -> dict[str, Any]:
    """Values that data gives, the Python files that they name checked; see `named_by_data`.

    Raises:
        ConfigurationError: a Python file that is not in `folder`; None: any.
    """
    checked = dict(values)
    for table, key in (
        (None, "task"),
        ("process", "name"),
        ("op_amp", "topology"),
        ("coupling", "scheme"),
    ):
        within = checked if table is None else checked.get(table)
        if isinstance(within, dict) and isinstance(name := within.get(key), str):
            changed = {key: named_by_data(name, where, folder)}
            checked |= changed if table is None else {table: within | changed}
    return checked


def merge(values: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """`values` with the nested `overrides` put over them."""
    merged = dict(values)
    for key, value in overrides.items():
        present = merged.get(key)
        nested = isinstance(value, dict) and isinstance(present, dict)
        merged[key] = merge(present, value) if nested else value  # type: ignore[arg-type]
    return merged
