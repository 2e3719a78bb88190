"""Signs of a wrong answer: what ngspice prints as a mere warning, or not at all, and goes on.

Of many faulty netlists ngspice makes a result and ends with exit code 0. Each sign here turns
that into an error. `tests/engine/test_wrong_answers.py` has netlists that plain ngspice answers
wrongly with exit code 0, each caught.
Source: ngspice manual, chapters 2, 11 and 14; Vladimirescu, The SPICE Book, chapter 10.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from cosim.errors import EngineError, NetlistError
from cosim.netlist.model import GROUND, Device, Parsed
from cosim.netlist.numbers import number
from cosim.netlist.reading import statements
from cosim.netlist.rules.analyses import ANALYSES as ANALYSES

LARGEST = 1e9
"""Volt or ampere: no circuit here has more."""

POINTS_PER_PERIOD = 8
"""Fewer cannot show a sine's amplitude within 8 %: 1 - cos(pi / 8)."""

RINGING_POINTS, RINGING_PART = 12, 0.05
"""So many steps in a row that alternate, by more than this part of their mean and of a hundredth of
the signal's range, are the trapezoidal rule's, not the circuit's."""

RESIDUAL_PART, RESIDUAL_AMPERE = 5e-3, 1e-9
"""Largest sum of currents into a node, of the largest of them, and in all. Devices are solved to
reltol, 1e-3 unless asked otherwise."""

_SINE = re.compile(r"\bsin\s*\(?\s*(\S+)[\s,]+(\S+)[\s,]+([^\s,)]+)", re.IGNORECASE)
_INITIAL = re.compile(r"v\s*\(\s*([^\s,()]+)\s*\)\s*=\s*([^\s,()]+)", re.IGNORECASE)
_SAVED = re.compile(r"\b(?P<letter>[vi])\s*\(\s*(?P<name>[^\s,()]+)\s*\)|(?P<vector>[^\s()]+)")
_KEYWORDS = frozenset(("all", "alli", "allv", "none", "nosub"))
_OUTPUT = re.compile(r"v\s*\(\s*([^\s,()]+)\s*(?:,\s*([^\s,()]+)\s*)?\)", re.IGNORECASE)


@dataclass
class Asked:
    """What a netlist asks for, as far as an answer can be held against it.

    Attributes:
        analysis: the words of its analysis line, lower case.
        stop_second: of its transient.
        initial_volts: of `.ic`, by node.
        saved: of `.save`: what it names, and the vector that has to come of it.
        output_nodes: between which `.noise`, `.tf`, `.sens` or `.pz` looks.
        measures: names of `.meas`, and the analysis each is of.
        shortest_period_second: of its sine sources.
        external_sources: sources that a program has to drive.
    """

    analysis: list[str] = field(default_factory=list)
    stop_second: float | None = None
    initial_volts: dict[str, float] = field(default_factory=dict)
    saved: dict[str, str] = field(default_factory=dict)
    output_nodes: tuple[str, ...] = ()
    measures: dict[str, str] = field(default_factory=dict)
    shortest_period_second: float = math.inf
    external_sources: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The word of its analysis line, such as '.tran'; '' without one."""
        return self.analysis[0] if self.analysis else ""


def read_asked(netlist: str) -> Asked:
    """What a netlist asks for.

    Raises:
        NetlistError: it asks for no analysis or for two, or has an external source in a form of
            which ngspice 39 dies. What else ngspice leaves out, `cosim.netlist.check` finds.
    """
    asked = Asked()
    found: list[tuple[int, str]] = []
    depth = 0
    for line, statement in statements(netlist, titled=True):
        words = statement.lower().replace("=", " = ").split()
        depth += {".subckt": 1, ".ends": -1}.get(words[0], 0)
        if words[0] in ANALYSES:
            found.append((line, statement))
            _take_analysis(asked, words, statement)
        elif words[0] == ".ic":
            for node, text in _INITIAL.findall(statement):
                if (value := number(text)) is not None:
                    asked.initial_volts[node.lower()] = value
        elif words[0] == ".save":
            asked.saved |= _saved(statement)
        elif words[0] in (".meas", ".measure") and len(words) > 2:
            asked.measures[words[2]] = words[1]
        elif words[0][0] in "vi":
            if "external" in words[3:]:
                if words[3:] != ["external"]:
                    raise NetlistError(
                        f"Line {line}: the external source '{words[0]}' has another value too, of "
                        "which ngspice 39 dies (segmentation fault). Write `external` alone."
                    )
                asked.external_sources.append(words[0])
            match = _SINE.search(statement) if depth == 0 else None
            if match and (hertz := number(match[3])):
                asked.shortest_period_second = min(asked.shortest_period_second, 1 / abs(hertz))
    if len(found) > 1:
        (line, first), (other_line, second) = found[:2]
        raise NetlistError(
            f"The netlist has {len(found)} analyses: '{first}' (line {line}) and '{second}' (line "
            f"{other_line}); ngspice would mix their results. Leave one, and run the others by "
            "themselves."
        )
    if not found:
        raise NetlistError(
            "The netlist asks for no analysis. Add an .op, .dc, .ac, .noise or .tran line."
        )
    return asked


def _saved(statement: str) -> dict[str, str]:
    """What a `.save` line names, and the vector of each."""
    saved = {}
    for match in _SAVED.finditer(statement.lower().partition(" ")[2]):
        if match["letter"] == "v" and match["name"] not in (GROUND, "gnd"):
            saved[match[0]] = match["name"]
        elif match["letter"] == "i":
            saved[match[0]] = f"{match['name']}#branch"
        elif match["vector"] and match["vector"] not in _KEYWORDS:
            saved[match[0]] = match["vector"]
    return saved


def _take_analysis(asked: Asked, words: list[str], statement: str) -> None:
    asked.analysis = words
    if words[0] == ".pz":
        asked.output_nodes = tuple(words[1:5])
    elif words[0] in (".noise", ".sens", ".tf") and (match := _OUTPUT.search(statement.lower())):
        asked.output_nodes = tuple(node for node in match.groups() if node)
    if words[0] == ".tran" and len(words) > 2:
        asked.stop_second = number(words[2])


def audit_answer(asked: Asked, vectors: Mapping[str, np.ndarray]) -> None:
    """Hold a result against what was asked for.

    Args:
        vectors: by name, lower case, complex or real [points].

    Raises:
        EngineError: it is empty, not finite, absurdly large, lacks saved nodes, ends early, misses
            its initial conditions, is too coarse for a sine source, or rings at every step.
    """
    if not any(len(values) for values in vectors.values()):
        raise EngineError("ngspice ended without an error, but gave no points. Check `.save`.")
    for name, values in vectors.items():
        if len(values):  # the current of a device without one is empty
            _require_finite(name, values, asked)
    missing = sorted(
        name for name, vector in asked.saved.items() if not len(vectors.get(vector, ()))
    )
    if missing:
        raise EngineError(
            f"ngspice recorded nothing for what `.save` names: {', '.join(missing)}. It does not "
            "exist. Correct the names."
        )
    if "time" in vectors:
        _audit_transient(asked, vectors)


def audit_measures(asked: Asked, measures: Mapping[str, float]) -> None:
    """Each `.meas` has to have a finite result.

    Raises:
        EngineError: one has none.
    """
    for name, analysis in asked.measures.items():
        if not math.isfinite(measures.get(name, math.nan)):
            raise EngineError(
                f"The measurement '{name}' has no result. It is of a '{analysis}' analysis, and "
                f"the netlist runs '{asked.kind}'. Make them the same, and correct what it "
                "measures."
            )


def _require_finite(name: str, values: np.ndarray, asked: Asked) -> None:
    largest = np.abs(values).max()
    absolute = name == "frequency" or (asked.analysis and asked.analysis[0] in (".pz", ".sens"))
    if absolute and math.isfinite(largest):
        return
    if not largest <= LARGEST:
        point = int(np.argmax(~(np.abs(values) <= LARGEST)))
        raise EngineError(
            f"ngspice gave {values[point]:.3g} for '{name}' (point {point + 1} of {len(values)}) "
            "without an error; no circuit has such a value. Look for a division by zero, a "
            "node that nothing holds, or a short circuit."
        )


def _audit_transient(asked: Asked, vectors: Mapping[str, np.ndarray]) -> None:
    time = vectors["time"]
    if asked.stop_second is not None and not math.isclose(
        time[-1], asked.stop_second, rel_tol=1e-6
    ):
        raise EngineError(
            f"ngspice ended the transient at t = {time[-1]:.9g} s without an error, but "
            f"{asked.stop_second:.9g} s were asked for."
        )
    for node, volt in asked.initial_volts.items():
        if node not in vectors or time[0] > 0:
            continue
        begins = float(vectors[node][0])
        if abs(begins - volt) > 1e-3 * max(abs(volt), 1e-3):
            raise EngineError(
                f"Node '{node}' begins at {begins:.6g} V, but `.ic` asked for {volt:.6g} V: a "
                "voltage source holds it. Remove the condition, or the source."
            )
    # The first steps and those after breakpoints are short; the longest one shows the sampling.
    steps = np.diff(time)
    if len(steps) and steps.max() > asked.shortest_period_second / POINTS_PER_PERIOD:
        at = float(time[int(np.argmax(steps))])
        raise EngineError(
            f"A step of {steps.max():.3g} s at t = {at:.6g} s is too long for a sine of "
            f"{asked.shortest_period_second:.3g} s period: its samples show another wave. Give "
            f".tran a largest step (its 4th value) below "
            f"{asked.shortest_period_second / POINTS_PER_PERIOD:.3g} s."
        )
    for name, values in vectors.items():
        if name != "time" and "#" not in name and "@" not in name:
            _audit_ringing(name, time, np.real(values))


def _audit_ringing(name: str, time: np.ndarray, values: np.ndarray) -> None:
    """The trapezoidal rule's own oscillation: the sign of the change flips at every step."""
    changes = np.diff(values)
    scale = np.ptp(values)
    middle = np.abs(values[2:] + values[1:-1]) / 2
    large = np.abs(changes[1:]) > RINGING_PART * np.maximum(scale / 100, middle)
    flips = (changes[1:] * changes[:-1] < 0) & large
    if not flips.any():
        return
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], flips.astype(int), [0]]))))[::2]
    if runs.max() >= RINGING_POINTS:
        at = float(time[int(np.argmax(flips))])
        raise EngineError(
            f"'{name}' goes up and down at every step from t = {at:.6g} s: that is the "
            "trapezoidal rule's own oscillation, not the circuit's. Use `.options method=gear`, "
            "or a smaller largest step."
        )


# -- Kirchhoff's current law at an operating point ------------------------------------------------


@dataclass(frozen=True)
class Residual:
    """What is left of a node's currents, and the largest of them."""

    node: str
    ampere: float
    largest_ampere: float

    @property
    def excessive(self) -> bool:
        """Whether it is more than the solver's tolerance explains."""
        return abs(self.ampere) > RESIDUAL_PART * self.largest_ampere + RESIDUAL_AMPERE


def kirchhoff_residuals(
    parsed: Parsed, read_current: Callable[[str], float | None]
) -> list[Residual]:
    """The sum of the device currents into each node, those with an unknown current left out.

    Args:
        parsed: the netlist that was solved.
        read_current: ampere by ngspice's name (`@r1[i]`, `v1#branch`); None where it has none.
    """
    unknown, flows = {GROUND}, []
    for device in parsed.devices():
        currents = [read_current(name) for name in _current_names(device)]
        known = [current for current in currents if current is not None]
        if not known or len(known) < len(currents):
            unknown.update(device.terminals)
            continue
        if len(known) == 1:
            known.append(-known[0])
        flows.append((device.element.target, device.terminals, known))
    # Of p-channel and pnp models some give the currents into, others those out of a device.
    flipped: frozenset[str | None] = frozenset()
    residuals = _summed(flows, flipped, unknown)
    targets = {target for target, _, _ in flows if target is not None}
    while any(residual.excessive for residual in residuals) and targets - flipped:
        trials = {
            target: _summed(flows, flipped | {target}, unknown)
            for target in sorted(targets - flipped)
        }
        best = min(trials, key=lambda target: _excessive(trials[target]))
        if _excessive(trials[best]) >= _excessive(residuals):
            break
        flipped, residuals = flipped | {best}, trials[best]
    return residuals


def _excessive(residuals: list[Residual]) -> int:
    return sum(residual.excessive for residual in residuals)


def _summed(
    flows: list[tuple[str | None, tuple[str, ...], list[float]]],
    flipped: frozenset[str | None],
    unknown: set[str],
) -> list[Residual]:
    sums: defaultdict[str, list[float]] = defaultdict(list)
    for target, terminals, amperes in flows:
        sign = -1.0 if target in flipped else 1.0
        for node, ampere in zip(terminals, amperes, strict=True):
            sums[node].append(sign * ampere)
    return [
        Residual(node, math.fsum(amperes), max(map(abs, amperes)))
        for node, amperes in sums.items()
        if node not in unknown
    ]


def _current_names(device: Device) -> list[str]:
    """Of the currents into a device's terminals, or of the one through it; empty if ngspice does
    not tell.
    """
    letter = device.element.letter
    if letter in "efgh" and "poly" in map(str.lower, device.element.values[:1]):
        return []  # ngspice makes a code model of it
    name = f"{letter}.{device.path}" if "." in device.path else device.path
    if letter == "x":
        if device.ports[:4] != ("d", "g", "s", "b"):
            return []
        name, letter = f"m.{device.path}.m0", "m"
    suffixes = {"m": ("id", "ig", "is", "ib"), "q": ("ic", "ib", "ie", "is"), "d": ("id",)}
    if letter in suffixes:
        return [f"@{name}[{suffix}]" for suffix in suffixes[letter]][: len(device.terminals)]
    if device.element.is_voltage or letter == "l":
        return [f"{name}#branch"]
    return [f"@{name}[{'current' if letter == 'i' else 'i'}]"]
