"""The datasheet file: a circuit, conditions, benches, and parameters with their limits.

Its form follows that of CACE (github.com/fossi-foundation/cace): defaults of the conditions for all
parameters, overridden where a parameter needs others.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from cosim.errors import ConfigurationError
from cosim.files import read_toml
from cosim.netlist.numbers import number
from cosim.netlist.reading import read_text
from cosim.netlist.trust import trusted_folders
from cosim.plugins import named_by_data
from cosim.trace.tolerances import faults_of

Value = int | float | str
Severity = Literal["fail", "warn"]

NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
RESERVED = ("seed", "time", "temper", "hertz")
DEFAULT_TOLERANCE = 0.1
ANALYSES = ("op", "dc", "ac", "noise", "tran", "lockstep")


def _plain(value: Any) -> Any:
    """Numbers may be written as in a netlist: '5p'."""
    if isinstance(value, bool):
        raise ValueError("a number or a name is wanted")
    found = number(value.strip()) if isinstance(value, str) else value
    return value if found is None else float(found)


def _limit(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {"value": value}


Number = Annotated[float, BeforeValidator(_plain)]
Plain = Annotated[Value, BeforeValidator(_plain)]


class Section(BaseModel):
    """A TOML table; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Condition(Section):
    """What a circuit is measured over: a list of values, or minimum, typical and maximum, with
    `steps` values between the ends.
    """

    title: str = ""
    unit: str = ""
    values: tuple[Plain, ...] = ()
    minimum: Number | None = None
    typical: Plain | None = None
    maximum: Number | None = None
    steps: Annotated[int, Field(ge=2, le=10_000)] | None = None
    scale: Literal["linear", "logarithmic"] = "linear"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        """`vdd = 3.3` and `vdd = [3.0, 3.3]` are short for its values."""
        if isinstance(given, Mapping):
            return given
        return {"values": given if isinstance(given, list | tuple) else [given]}

    @model_validator(mode="after")
    def _whole(self) -> "Condition":
        ends = (self.minimum, self.maximum)
        if self.values and ends != (None, None):
            raise ValueError("give `values`, or `minimum` and `maximum`")
        if self.steps is not None and None in ends:
            raise ValueError("`steps` are between `minimum` and `maximum`: give both")
        if self.scale == "logarithmic" and (self.steps is None or min(ends, default=0) <= 0):  # type: ignore[type-var,operator]
            raise ValueError("logarithmic `steps` need `minimum` and `maximum` above 0")
        if not self.all_values:
            raise ValueError("it has no value: give `values`, or `minimum`, `typical`, `maximum`")
        if self.typical is None and len(self.all_values) > 1:
            raise ValueError("it has several values: say which is `typical`")
        return self

    @property
    def all_values(self) -> tuple[Value, ...]:
        """Every value, each once, in the order that the file gives."""
        if self.values:
            return tuple(dict.fromkeys(self.values))
        if self.steps is not None:
            between = np.geomspace if self.scale == "logarithmic" else np.linspace
            return tuple(map(float, between(self.minimum, self.maximum, self.steps)))  # type: ignore[arg-type]
        three = (self.minimum, self.typical, self.maximum)
        return tuple(dict.fromkeys(value for value in three if value is not None))

    @property
    def typical_value(self) -> Value:
        """The one for which a parameter's typical value stands."""
        return self.all_values[0] if self.typical is None else self.typical


class Limit(Section):
    """A border of what is allowed; a plain number is one with severity `fail`."""

    value: Number
    severity: Severity = "fail"


class TypicalLimit(Limit):
    """What is expected at typical conditions, and how far off it may be, as a part of it."""

    tolerance: Annotated[float, Field(gt=0)] = DEFAULT_TOLERANCE


class Limits(Section):
    """Of a parameter, in its unit."""

    minimum: Annotated[Limit, BeforeValidator(_limit)] | None = None
    typical: Annotated[TypicalLimit, BeforeValidator(_limit)] | None = None
    maximum: Annotated[Limit, BeforeValidator(_limit)] | None = None


class Bench(Section):
    """A circuit around the one that is measured.

    Attributes:
        netlist: its lines; conditions are parameters there, such as `{vdd}`.
        analyses: by name: `op`, `dc`, `ac`, `noise` or `tran` as their netlist lines without the
            dot, or `lockstep STOP MAX_STEP`.
        blocks: of `lockstep`: `file.py:function`, which returns the blocks.
        block: instead of all these, the name of a bench class of `cosim bench`.
        fidelity: of that block.
    """

    netlist: str = ""
    analyses: dict[str, str] = {}
    blocks: str = ""
    block: str = ""
    fidelity: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> "Bench":
        if bool(self.block) == bool(self.netlist or self.analyses):
            raise ValueError("give `netlist` and `analyses`, or the `block` of a bench class")
        if not self.block and not self.analyses:
            raise ValueError("it has no `analyses`")
        for name, line in self.analyses.items():
            kind = (line.split() or [""])[0].lower()
            if kind not in ANALYSES or "\n" in line:
                raise ValueError(
                    f"analysis '{name}' is {line!r}: write {', '.join(ANALYSES)} and its values"
                )
            if kind == "lockstep" and not self.blocks:
                raise ValueError(f"analysis '{name}' is lockstep, but there are no `blocks`")
        return self


class Parameter(Section):
    """A number that a bench measures.

    Attributes:
        analysis: of the bench; may be left out where it has one.
        measure: `SIGNAL MEASUREMENT`, such as `out settling_time=0.01`; of a bench class the name
            of its value.
        meas: instead, a `.meas` line without `.meas`, analysis and name.
        function: instead, `file.py:function` of the analysis' signals by name; run only with
            `--allow-code`.
        scale: what is measured is multiplied by it.
        conditions: instead of the datasheet's, by name.
        monte_carlo: whether draws are measured.
    """

    title: str = ""
    unit: str = ""
    bench: str
    analysis: str = ""
    measure: str = ""
    meas: str = ""
    function: str = ""
    scale: Number = 1.0
    conditions: dict[str, Condition] = {}
    monte_carlo: bool = True
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _one_way(self) -> "Parameter":
        if sum(map(bool, (self.measure, self.meas, self.function))) != 1:
            raise ValueError("give one of `measure`, `meas` and `function`")
        if "\n" in self.meas:
            raise ValueError("`meas` is one line")
        return self


class MonteCarlo(Section):
    """Draws of the process's variation: seeds from `first_seed` on, at typical conditions but
    where others are given.
    """

    draws: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    first_seed: Annotated[int, Field(ge=1)] = 1
    conditions: dict[str, Condition] = {}


class Datasheet(Section):
    """A datasheet file.

    Attributes:
        netlist: file of the circuit, beside the datasheet; included in each bench.
        generator: instead, `file.py:function` that returns its text; only with `--allow-code`.
        process: whose transistors it has without including them.
        pins: what each pin of its subcircuit is.
        folder: of the file.
        trusted: folders of foreign process libraries; never said by the file itself.
    """

    name: Annotated[str, Field(pattern=r"^[\w.+-]+$")]
    title: str = ""
    netlist: str = ""
    generator: str = ""
    process: str | None = None
    pins: dict[str, str] = {}
    conditions: dict[str, Condition] = {}
    monte_carlo: MonteCarlo = MonteCarlo()
    benches: dict[str, Bench]
    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]
    folder: Path = Field(exclude=True)
    trusted: tuple[Path, ...] = Field(exclude=True)

    @model_validator(mode="after")
    def _fits(self) -> "Datasheet":
        for name in (*self.conditions, *self.parameters):
            if NAME.fullmatch(name) is None or name in RESERVED:
                raise ValueError(f"'{name}' cannot be a name here: letters, digits and _")
        for where, given in (
            ("monte_carlo", self.monte_carlo.conditions),
            *((f"parameters.{name}", one.conditions) for name, one in self.parameters.items()),
        ):
            if unknown := sorted(set(given) - set(self.conditions)):
                raise ValueError(f"{where} has conditions that the datasheet has not: {unknown}")
        for name, parameter in self.parameters.items():
            bench = self.benches.get(parameter.bench)
            if bench is None:
                raise ValueError(
                    f"parameters.{name} is of bench '{parameter.bench}', and there are "
                    f"{', '.join(self.benches)}"
                )
            if not bench.block and self.analysis_name(parameter) not in bench.analyses:
                raise ValueError(
                    f"parameters.{name} is of analysis '{parameter.analysis}', and its bench has "
                    f"{', '.join(bench.analyses)}"
                )
        return self

    def analysis_name(self, parameter: Parameter) -> str:
        """The analysis that a parameter is of; '' of a bench class."""
        analyses = self.benches[parameter.bench].analyses
        return parameter.analysis or (next(iter(analyses)) if len(analyses) == 1 else "")

    @property
    def code(self) -> dict[str, str]:
        """What it says of Python: `file.py:function` by what for."""
        found = {f"benches.{name}.blocks": one.blocks for name, one in self.benches.items()}
        found |= {f"parameters.{name}": one.function for name, one in self.parameters.items()}
        return {what: text for what, text in {"generator": self.generator, **found}.items() if text}

    @property
    def closed(self) -> bool:
        """Whether ngspice is in a closed room: Python and bench classes may need the world."""
        return not self.code and not any(bench.block for bench in self.benches.values())


def read_datasheet(
    path: Path, *, allow_code: bool = False, trust: Sequence[str | Path] = ()
) -> Datasheet:
    """Read a datasheet file.

    Args:
        allow_code: let it name Python functions of files beside it.
        trust: folders of foreign process libraries that its netlists may include: ngspice reads
            their files as they are.

    Raises:
        ConfigurationError: it cannot be read or used, or names Python and may not.
    """
    folder = path.resolve().parent
    given = {"folder": folder, "trusted": trusted_folders(trust)}
    read = read_toml(path)
    if named := sorted(given.keys() & read.keys()):
        raise ConfigurationError(f"{path} cannot say its own {', '.join(named)}. Take that out.")
    try:
        sheet = Datasheet.model_validate({**read, **given})
    except ValidationError as error:
        raise ConfigurationError(
            f"{path} is no datasheet: {faults_of(error)}. The manual's page on datasheets lists "
            "what it can hold."
        ) from None
    if sheet.code and not allow_code:
        raise ConfigurationError(
            f"{path} names Python functions ({', '.join(sheet.code.values())}), which would run. "
            "Read them, and then give --allow-code."
        )
    for text in sheet.code.values():
        file, _, function = text.partition(":")
        if not function or not file.endswith(".py"):
            raise ConfigurationError(f"{path}: '{text}' is no function: write `file.py:function`.")
        named_by_data(file, str(path), folder)
    if sheet.netlist:
        read_text(_beside(sheet, path))
    return sheet


def _beside(sheet: Datasheet, path: Path) -> Path:
    file = (sheet.folder / sheet.netlist).resolve()
    if not file.is_relative_to(sheet.folder):
        raise ConfigurationError(
            f"{path} names the netlist {sheet.netlist}, which lies outside of {sheet.folder}. Copy "
            "it there."
        )
    return file
