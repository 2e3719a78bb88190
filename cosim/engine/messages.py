"""What ngspice prints, read line by line: known harmless notes by exact pattern, all else is an
error that quotes the line.

ngspice leaves out what it does not understand, prints a line and ends with exit code 0. Nobody
knows all such lines, so that the harmless ones are listed here, each with its reason.
Source: ngspice 39 and 46, what they print of the netlists in `tests` and `netlists`;
`frontend/inpcom.c`, `spicelib/analysis/cktop.c`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cosim.errors import ConvergenceError, NetlistError

HARMLESS = {
    r"": "an empty line",
    r"\*\*.*": "the library's banner: version, copyright, how it was built",
    r"Note: No compatibility mode selected!": "the dialect is ngspice's own, as is meant",
    r"Note: can't find init file\.": "settings are ours; PySpice looks for the file too",
    r"Circuit: .*": "the title",
    r"Doing analysis at TEMP = \S+ and TNOM = \S+": "the temperature that was asked for",
    r"Using (SPARSE 1\.3|KLU) as Direct Linear Solver": "either solves the same equations",
    r"No\. of Data (Rows|Columns) : \d+": "the size of the result",
    r"(Reference value :\s+\S+\s*)+": "how far a sweep or transient has come",
    r"Initial Transient Solution": "heading of the operating point's table",
    r"Warning: OSDI libs have not been loaded successfully\.": "loading one has said so already",
    r"Any of the following steps may fail, if Verilog A models are involved!\.": "the rest of it",
    r"\d+ 1/f noise values in time domain created": "TRNOISE draws its flicker noise beforehand",
    r"Operating point simulation skipped by 'uic',": "`uic` asks for that",
    r"now using transient initial conditions\.": "the rest of that sentence",
    r"Measurements for (Transient|AC|DC|SP|NOISE) Analysis": "heading of the .meas results",
    r"Note: Starting (dynamic gmin|true gmin|source) stepping": "a way to an operating point",
    r"Note: (Dynamic gmin|True gmin|Source) stepping completed": "that way ended in one",
    r"Warning: (Dynamic gmin|True gmin|source) stepping failed": "another way follows, or an error",
    r"Trying gmin = .*": "a way to an operating point, before version 40",
    r"Supplies reduced to .*": "a way to an operating point, before version 40",
    r"Note: One successful (gmin|source) step": "a way to an operating point, before version 40",
    r"(Note: )?\d+ *: condition met: stop.*": "a pause that was asked for; else the end is missing",
    r"doAnalyses: pause requested.*|\w+ simulation interrupted.*": "the same",
    r"Note: Transient op started": "the last way to an operating point; judged by its end",
    r"Note: Ramptime enabled": "sources rise in that way, as `optran` asks for",
    r"(Note: )?Transient op finished successfully": "judged by the analysis, see `read_messages`",
    r"Warning: singular matrix:\s+check nodes? .*": "another way follows, or an error",
    r"Reducing trtol to 1 for xspice 'A' devices": "a tighter step control than asked for",
    r"Warning: \S+: no DC value, transient time 0 value used": "what SPICE's sources do",
    r"Note: \S+: has no value, DC 0 assumed": "an ammeter, or a source for small signals alone",
    r"Checking parameters for BSIM ?\S* model .*": "a heading; what it finds follows",
    r"warning, can't find model '\S+' from line": "a parameter as value; rules check both names",
    r"[rcl]\w* \S+ \S+ [a-z_]\w*": "the line that the warning before is about",
    r"(Pole-zero|Sensitivity) .*converged.*": "how an iteration ended",
}
"""Patterns of whole lines, and why each is harmless."""

NOTED = {
    r"Warning -- (?P<what>Version not specified on line .*)": "name the version in the .model",
    r"(?P<what>Setting version to 'default'\.?)": "name the version in the .model",
    r"Warning: (?P<what>P[ds] = \S+ is less than W.*)": "give drain and source their perimeters",
}
"""What is told the user as a warning, and what to do: it may be meant."""

MEANINGS = {
    r"IC on non-existent node": "an initial condition names a node that does not exist",
    r"Nodeset on non-existent node": "a nodeset names a node that does not exist",
    r"instance line, ignored": "an element without a value, or with a wrong one, was left out",
    r"unrecognized parameter|unknown parameter": "a parameter is unknown and was left out",
    r"non-increasing PWL": "a PWL source's times do not increase",
    r"unsupported integration method": "the method is unknown; the default was taken",
    r"not positive definite": "the coupling of inductors has more than the whole flux",
    r"is too small, set to": "a resistance of 0 was replaced by another",
    r"\bfailed!": "a measurement failed",
    r"can't find (the )?model|unable to find definition of model": "a model is missing",
    r"Could not set temperature": "the temperature was not understood; the default was taken",
    r"assumes default parameter": "the analysis was not understood; the default was taken",
}
"""Parts of lines that are errors, and what ngspice then did."""

_HARMLESS = re.compile("|".join(f"(?:{pattern})" for pattern in HARMLESS))
_NOTED = [(re.compile(pattern), remedy) for pattern, remedy in NOTED.items()]
_MEANINGS = [(re.compile(pattern, re.IGNORECASE), what) for pattern, what in MEANINGS.items()]

_VALUE = r"[-+]?(?:\d[-+.\deE]*|nan|inf)"
_TABLE_HEAD = re.compile(r"-[- ]*|Node\s+(Last )?Voltage(\s+Previous Iter)?")
_TABLE_ROW = re.compile(rf"\S+\s+{_VALUE}(\s+{_VALUE})?(\s+\*)?")
_MEASURED = re.compile(rf"(?P<name>\S+)\s+=\s+(?P<value>{_VALUE})(\s+(at|targ|trig|from|to)=.*)?")
_QUOTED_LINES = 6


def _classified(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(kind, line): 'harmless', 'table', 'measure' or 'unknown'; tables have a heading."""
    inside = ""
    for raw in lines:
        line = raw.strip()
        if _TABLE_HEAD.fullmatch(line):
            inside = "table"
            yield "harmless", line
        elif inside == "table" and _TABLE_ROW.fullmatch(line):
            yield "table", line
        elif inside == "measure" and _MEASURED.fullmatch(line):
            yield "measure", line
        elif _HARMLESS.fullmatch(line):
            if line:
                inside = "measure" if line.startswith("Measurements for") else ""
            yield "harmless", line
        else:
            yield "unknown", line


@dataclass(frozen=True)
class Said:
    """What is worth keeping of ngspice's output.

    Attributes:
        warnings: for the user, a sentence each.
        measures: of `.meas`, by name.
    """

    warnings: tuple[str, ...] = ()
    measures: tuple[tuple[str, float], ...] = ()


def read_messages(lines: Sequence[str], analysis: str) -> Said:
    """Classify every line.

    Args:
        lines: in the order in which ngspice printed them.
        analysis: the word of the netlist's analysis line, such as '.tran'; '' before it runs.

    Raises:
        NetlistError: a line is not known to be harmless: ngspice left out or replaced something.
        ConvergenceError: it took the end of a transient with relaxed steps for the operating
            point. A transient analysis may begin so, as from power-up, unless a node is held by
            nothing.
    """
    _require_operating_point(lines, analysis)
    warnings, measures, unknown = [], [], []
    for kind, line in _classified(lines):
        if kind == "measure" and (match := _MEASURED.fullmatch(line)):
            measures.append((match["name"].lower(), float(match["value"])))
        elif kind == "unknown":
            for pattern, remedy in _NOTED:
                if match := pattern.fullmatch(line):
                    warnings.append(f"ngspice says: {match['what'].rstrip('. ')}; {remedy}.")
                    break
            else:
                unknown.append(line)
    if unknown:
        meaning = next(
            (what for line in unknown for pattern, what in _MEANINGS if pattern.search(line)),
            "printed what is not known to be harmless",
        )
        more = " | ..." if len(unknown) > _QUOTED_LINES else ""
        raise NetlistError(
            f"ngspice gave a result, but {meaning}. It printed: "
            f"{' | '.join(unknown[:_QUOTED_LINES])}{more}. Correct the netlist; `cosim check` "
            "finds most faults of this kind."
        )
    return Said(tuple(dict.fromkeys(warnings)), tuple(measures))


def _require_operating_point(lines: Iterable[str], analysis: str) -> None:
    said = [line.strip() for line in lines]
    if not any("Transient op finished" in line for line in said):
        return
    singular = next((line for line in said if "singular matrix" in line), None)
    if singular is not None or analysis != ".tran":
        raise ConvergenceError(
            "ngspice found no operating point by Newton's method, gmin or source stepping, and "
            "took the state at the end of a transient with relaxed steps for it. It printed: "
            f"{singular or 'Transient op finished'}. Look at what holds the node named, if "
            "one is; `cosim check` finds nodes that nothing holds; `.nodeset` helps where the "
            "circuit has several states."
        )
