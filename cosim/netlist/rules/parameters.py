"""Parameters of devices and models by name: ngspice says a word of an unknown one, and goes on.

Source: `devhelp` of ngspice 46, kept in device_parameters.json; a test asks it again.
"""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from cosim.errors import did_you_mean
from cosim.netlist.finding import Finding, found
from cosim.netlist.model import Element, Model, Parsed, Scope
from cosim.netlist.numbers import number
from cosim.netlist.statement import Statement

PASSIVE = {"r": "resistor", "c": "capacitor", "l": "inductor"}
KINDS = {
    **PASSIVE, "d": "diode", "sw": "switch", "csw": "cswitch", "nmf": "mes", "pmf": "mes",
    "vdmos": "vdmos", "vdmosn": "vdmos", "vdmosp": "vdmos",
}  # fmt: skip
LEVELS = {
    ("npn", "pnp"): {1: "bjt", 4: "vbic", 9: "vbic"},
    ("njf", "pjf"): {1: "jfet", 2: "jfet2"},
    ("nmos", "pmos"): {
        1: "mos1", 2: "mos2", 3: "mos3", 6: "mos6", 9: "mos9", 8: "bsim3", 49: "bsim3",
        14: "bsim4", 54: "bsim4",
    },
}  # fmt: skip
OTHER_VERSIONS = {"bsim3": "bsim3v32", "bsim4": "bsim4v7"}
OF_THE_PARSER = frozenset({"level", "version", "lmin", "lmax", "wmin", "wmax", "type"})
BEHAVIOURAL = frozenset({"q", "flux", "l", "tc", "tc1", "tc2"})


def parameters(parsed: Parsed) -> Iterator[Finding]:
    """Findings of models and of elements."""
    for scope in parsed.scopes():
        for model in scope.models.values():
            if model is not None and (device := device_of(model)) is not None:
                yield from _unknown(
                    model.statement, model.name, f"A {model.kind} model", model.parameters,
                    known(device, "model") | OF_THE_PARSER,
                )  # fmt: skip
        for element in scope.elements:
            if (device := _device(element, scope)) is not None:
                extra = BEHAVIOURAL if element.letter in PASSIVE else frozenset()
                yield from _unknown(
                    element.statement, element.name, f"A {device}", element.parameters,
                    known(device, "instance") | extra,
                )  # fmt: skip


def device_of(model: Model) -> str | None:
    """Its device in device_parameters.json; None for one that is not there."""
    level = number(model.parameters.get("level", "1"))
    for kinds, levels in LEVELS.items():
        if model.kind in kinds:
            return levels.get(int(level)) if level is not None else None
    return KINDS.get(model.kind) if level in (1, 3) else None


def _device(element: Element, scope: Scope) -> str | None:
    if element.letter in PASSIVE:
        return PASSIVE[element.letter]
    model = scope.model(element.target or "") if element.letter in "dmqjzsw" else None
    return device_of(model) if model is not None else None


@cache
def known(device: str, what: str) -> frozenset[str]:
    """Names of a device's `model` or `instance` parameters."""
    listed = json.loads(
        files("cosim.netlist").joinpath("device_parameters.json").read_text(encoding="utf8")
    )
    versions = [device, *filter(None, [OTHER_VERSIONS.get(device)])]
    return frozenset(name for version in versions for name in listed[version][what].split())


def _unknown(
    statement: Statement, name: str, what: str, given: dict[str, str], names: frozenset[str]
) -> Iterator[Finding]:
    for parameter in given:
        if parameter not in names:
            meant = did_you_mean(parameter, names)
            yield found(
                statement, "unknown-parameter", name, "",
                f"{what} has no parameter '{parameter}', and ngspice would leave it out.{meant}",
                "Correct or remove it.",
            )  # fmt: skip
