"""What a rule has to say, and the names of all rules."""

from dataclasses import dataclass

from cosim.netlist.statement import Statement

ERROR, WARNING = "error", "warning"

RULES = {
    # the text
    "syntax": ERROR,
    "refused": ERROR,
    "unknown-file": ERROR,
    "unclosed-subcircuit": ERROR,
    "empty-netlist": ERROR,
    "title-is-element": ERROR,
    "decimal-comma": ERROR,
    "missing-value": ERROR,
    "wrong-count": ERROR,
    "waiver": ERROR,
    "unneeded-waiver": WARNING,
    # names
    "duplicate-name": ERROR,
    "duplicate-parameter": ERROR,
    "builtin-parameter": ERROR,
    "undefined-parameter": ERROR,
    "unknown-model": ERROR,
    "unknown-subcircuit": ERROR,
    "unknown-parameter": ERROR,
    "unknown-element": ERROR,
    "unknown-node": ERROR,
    "port-count": ERROR,
    "recursion": ERROR,
    # values
    "bad-value": ERROR,
    "unit-slip": WARNING,
    "ignored-letters": WARNING,
    "absurd-value": WARNING,
    # topology
    "floating-node": ERROR,
    "no-ground": ERROR,
    "no-dc-path": ERROR,
    "current-source-cut-set": ERROR,
    "voltage-loop": ERROR,
    "shorted-device": ERROR,
    "dangling-feedback": ERROR,
    # analyses and what they see
    "two-analyses": ERROR,
    "bad-analysis": ERROR,
    "ac-without-source": ERROR,
    "unknown-option": ERROR,
    "changing-option": WARNING,
    "loose-tolerance": WARNING,
    "two-temperatures": ERROR,
    "ineffective-condition": WARNING,
    "ac-magnitude": WARNING,
    "external-value": ERROR,
    "bad-waveform": ERROR,
    "zero-edge": WARNING,
    "pulse-over-period": WARNING,
    "step-over-event": WARNING,
    "undamped-tank": WARNING,
    "power-of-negative": WARNING,
}
"""Severity by rule. A name is a promise: waivers in users' netlists hold it."""

NOT_WAIVABLE = frozenset({"syntax", "refused", "unknown-file", "waiver", "unneeded-waiver"})
"""What keeps a netlist from being read, or a waiver from being trusted."""


@dataclass(frozen=True, order=True)
class Finding:
    """One fault: where, which rule, what, and what to do. `file` is empty for the netlist itself,
    else the included file that `line` counts in.
    """

    line: int
    rule: str
    element: str
    node: str
    message: str
    remedy: str
    file: str = ""

    @property
    def severity(self) -> str:
        """`error`: the answer is wrong or there is none; `warning`: almost surely a slip."""
        return RULES[self.rule]

    def __str__(self) -> str:
        where = ", ".join(
            part
            for part in (
                self.file,
                f"line {self.line}" if self.line else "",
                self.element,
                f"node {self.node}" if self.node else "",
            )
            if part
        )
        return f"{where + ': ' if where else ''}{self.rule}. {self.message} {self.remedy}"


def found(
    statement: Statement, rule: str, element: str, node: str, message: str, remedy: str
) -> Finding:
    """A finding at a statement."""
    return Finding(statement.line, rule, element, node, message, remedy, statement.file)
