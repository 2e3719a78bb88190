"""A netlist for ngspice alone: transistors in place of the subcircuits that libraries wrap them in.

A library's `X... nfet_03v3 w=.. l=..` is one transistor and some parameters, drawn anew at each
instance for mismatch. Where that is off, the transistor's own line says the same; a netlist of
thousands is then read in half the time. People are given the other one.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cosim.netlist.numbers import number

_LIBRARY = re.compile(r'^\.lib\s+"([^"]+)"', re.IGNORECASE | re.MULTILINE)
_MISMATCH = re.compile(r"\bsw_stat_mismatch\s*=\s*'?1", re.IGNORECASE)
_INSTANCE = re.compile(r"^X(\S+)((?: \S+){4}) (\w+)((?: \w+=\S+)*)[ \t]*(?=\n(?!\+))", re.MULTILINE)
_WRAPPER = re.compile(
    r"^\.subckt +(\w+) +(\w+ \w+ \w+ \w+)((?: *\n?\+? *\w+=\S+)*)(.*?)^\.ends", re.MULTILINE | re.S
)
_DEVICE = re.compile(r"^m\w* +(\w+ \w+ \w+ \w+) +(\w+)((?: *\n?\+? *\w+=(?:'[^']*'|\S+))*)", re.M)
_PAIR = re.compile(r"(\w+)=('[^']*'|\S+)")
_DRAWN = {"mis_vth*sw_stat_mismatch": "0", "1-mis_k*sw_stat_mismatch": "1"}
"""What a transistor's deviations are without mismatch."""


class Wrapper(NamedTuple):
    """A subcircuit that is one transistor.

    Attributes:
        model: of the transistor.
        defaults: of the subcircuit's parameters.
        passed: the transistor's parameters: those of the subcircuit, or values.
    """

    model: str
    defaults: dict[str, str]
    passed: dict[str, str]


def lean(netlist: str) -> str:
    """The same circuit; as it is, where transistors have mismatch or other libraries.

    Lines that go on in the next one stay.
    """
    if _MISMATCH.search(netlist):
        return netlist
    wrappers: dict[str, Wrapper] = {}
    for path in _LIBRARY.findall(netlist):
        wrappers |= _wrappers(Path(path))

    def transistor(match: re.Match[str]) -> str:
        name, nodes, kind, given = match.groups()
        wrapper = wrappers.get(kind.lower())
        if wrapper is None:
            return match[0]
        values = wrapper.defaults | dict(_PAIR.findall(given.lower()))
        plain = all(number(value) is not None for value in values.values())
        if not plain or values.keys() != wrapper.defaults.keys():
            return match[0]
        own = " ".join(f"{key}={values.get(one, one)}" for key, one in wrapper.passed.items())
        return f"M{name}{nodes} {wrapper.model} {own}"

    return _INSTANCE.sub(transistor, netlist)


@cache
def _wrappers(path: Path) -> dict[str, Wrapper]:
    """Of a library. One of which its sections have different forms is none."""
    found: dict[str, Wrapper] = {}
    refused = set()
    for name, ports, parameters, body in _WRAPPER.findall(path.read_text(errors="replace").lower()):
        defaults = dict(_PAIR.findall(parameters))
        devices = _DEVICE.findall(body)
        others = re.search(r"^[a-ln-z*]", re.sub(r"^\*.*", "", body, flags=re.M), re.M)
        passed = {}
        if len(devices) == 1 and devices[0][0] == ports and others is None:
            passed = {
                key: _DRAWN.get(value.strip("'"), value)
                for key, value in _PAIR.findall(devices[0][2])
            }
        known = all(value in defaults or value in _DRAWN.values() for value in passed.values())
        wrapper = Wrapper(devices[0][1] if devices else "", defaults, passed)
        if not passed or not known or found.get(name, wrapper) != wrapper:
            refused.add(name)
        found[name] = wrapper
    return {name: wrapper for name, wrapper in found.items() if name not in refused}
