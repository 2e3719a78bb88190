"""The circuit of a bench at a point, as text; and what determines its results beside the point."""

import hashlib
import json
import re
from collections.abc import Mapping
from importlib.metadata import version

from cosim.characterise.datasheet.file import Bench, Datasheet, Value
from cosim.characterise.datasheet.tasks import Point, typical_point
from cosim.engine.library import find_library, probe
from cosim.errors import ConfigurationError
from cosim.netlist.circuit import Netlist
from cosim.netlist.reading import read_text
from cosim.plugins import load_file
from cosim.process.installed import InstalledProcess
from cosim.process.process import find_process

VARIANT = {"corner": str, "temperature": float, "seed": int}
"""What a netlist's variant takes beside its parameters."""

_MEASURED = {"analysis", "measure", "meas", "function", "scale"}
_PLACE = re.compile(r"\{\s*(\w+)\s*\}")


def code_of(sheet: Datasheet, text: str) -> object:
    """The function that `file.py:function` names, its file run.

    Raises:
        ConfigurationError: there is none.
    """
    file, _, name = text.partition(":")
    try:
        return getattr(load_file(sheet.folder / file), name)
    except Exception as error:
        raise ConfigurationError(
            f"The function {text} of the datasheet '{sheet.name}' cannot be loaded: "
            f"{type(error).__name__}: {error}."
        ) from error


def circuit_text(sheet: Datasheet) -> str:
    """What is measured, with its subcircuit.

    Raises:
        ConfigurationError: it cannot be read or generated, or its pins are others.
    """
    text = ""
    if sheet.netlist:
        text = read_text(sheet.folder / sheet.netlist)
    elif sheet.generator:
        text = str(code_of(sheet, sheet.generator)())  # type: ignore[operator]
    if sheet.pins:
        _require_pins(sheet, text)
    return text


def _require_pins(sheet: Datasheet, text: str) -> None:
    heads = [
        [word.lower() for word in line.split()[1:] if "=" not in word]
        for line in text.splitlines()
        if line.lower().startswith(".subckt")
    ]
    wanted = {pin.lower() for pin in sheet.pins}
    if not any(set(pins) == wanted for _, *pins in heads):
        known = "; ".join(f"{name}: {' '.join(pins)}" for name, *pins in heads) or "none"
        raise ConfigurationError(
            f"The datasheet '{sheet.name}' has the pins {' '.join(sheet.pins)}, and no subcircuit "
            f"of its netlist has these. There is {known}."
        )


def bench_netlist(sheet: Datasheet, bench: Bench, circuit: str, point: Point) -> Netlist:
    """A bench around the circuit at a point; includes are searched beside the circuit's file."""
    values = {name: value for name, value in point.items() if name not in VARIANT}
    lines = [f".param {name}={_written(name, value)}" for name, value in values.items()]
    text = "\n".join([f"{sheet.name} at its bench", *lines, circuit, bench.netlist, ""])
    path = sheet.folder / (sheet.netlist or "x.cir")
    netlist = Netlist(text, process=sheet.process, path=path, trust=sheet.trusted)
    given = {name: kind(point[name]) for name, kind in VARIANT.items() if name in point}
    return netlist.given(**given)


def _written(name: str, value: Value) -> str:
    if isinstance(value, str):
        raise ConfigurationError(
            f"Condition '{name}' is {value!r}, and a netlist's parameter is a number. Only "
            "'corner' has names."
        )
    return repr(value)


def analysis_line(line: str, point: Mapping[str, Value]) -> str:
    """A bench's analysis with `{condition}` replaced by its value.

    Raises:
        ConfigurationError: there is no such condition.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in point:
            raise ConfigurationError(
                f"The analysis '{line}' has {match[0]}, and there is no condition '{match[1]}'. "
                f"There are {', '.join(point)}."
            )
        return _written(match[1], point[match[1]])

    return _PLACE.sub(value, line)


def fingerprints(sheet: Datasheet) -> dict[str, str]:
    """Of each bench: everything but the point that determines its results: circuit, process,
    measurements, code, versions; limits do not.

    Raises:
        ConfigurationError, NetlistError: a bench cannot be read.
    """
    circuit = circuit_text(sheet)
    code = {
        text: hashlib.sha256((sheet.folder / text.partition(":")[0]).read_bytes()).hexdigest()
        for text in sheet.code.values()
    }
    common = [circuit, sheet.process, software(sheet), code]
    found = {}
    for name, bench in sheet.benches.items():
        measured = {
            key: parameter.model_dump(mode="json", include=_MEASURED)
            for key, parameter in sheet.parameters.items()
            if parameter.bench == name
        }
        point = typical_point(sheet, next(iter(measured))) if measured else None
        read = ("",) if point is None else _read(sheet, bench, circuit, point)
        said = json.dumps([common, bench.model_dump(mode="json"), measured, *read], sort_keys=True)
        found[name] = hashlib.sha256(said.encode()).hexdigest()
    return found


def _read(sheet: Datasheet, bench: Bench, circuit: str, point: Point) -> tuple[str, ...]:
    """Netlists of a bench at a point, as ngspice gets them."""
    if bench.block:
        from cosim.characterise.datasheet.blocks import block_netlists

        return block_netlists(sheet, bench, point)
    netlist = bench_netlist(sheet, bench, circuit, point)
    if not bench.blocks:  # what they drive floats without; `simulate` checks both together
        netlist.require_sound()
    return (netlist.circuit, *netlist.trust_notes)


def trust_notes(sheet: Datasheet) -> tuple[str, ...]:
    """A sentence for each trusted file that its benches include."""
    if not sheet.trusted:
        return ()
    circuit = circuit_text(sheet)
    netlists = (
        bench_netlist(sheet, sheet.benches[one.bench], circuit, typical_point(sheet, name))
        for name, one in sheet.parameters.items()
        if not sheet.benches[one.bench].block
    )
    return tuple(dict.fromkeys(note for netlist in netlists for note in netlist.trust_notes))


def software(sheet: Datasheet) -> dict[str, str]:
    """Versions of what determines the results."""
    found = {"cosim": version("cosim"), "ngspice": str(probe(find_library()).version)}
    if sheet.process is not None:
        process = find_process(sheet.process)
        if issubclass(process, InstalledProcess):
            package = process.PACKAGE.replace(".", "-")
            found[package] = version(package)
    return found
