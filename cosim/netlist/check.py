"""Electrical rules: what is wrong with a netlist before it is simulated.

ngspice answers many of these with exit code 0 and a wrong or arbitrary result. A finding is an
error, or a warning where the netlist is legal and almost surely not what was meant; a comment
`* cosim: allow RULE because REASON` in the netlist waives a rule.
"""

from collections.abc import Iterable
from pathlib import Path

from cosim.netlist.finding import ERROR, NOT_WAIVABLE, RULES, Finding, found
from cosim.netlist.model import Parsed
from cosim.netlist.parse import parse


def check(text: str, path: Path | None = None, allow: Iterable[str] = ()) -> list[Finding]:
    """Findings of every rule, in order of line; none for a sound netlist.

    Args:
        path: of the file it came from; includes are searched from its folder.
        allow: rules that are waived, beside those that the netlist waives itself.
    """
    return check_parsed(parse(text, path), allow)


def check_parsed(parsed: Parsed, allow: Iterable[str] = ()) -> list[Finding]:
    """As `check`, of a netlist that has been read."""
    # A command imports this module to say what its worker shall do; networkx alone is 0.3 s there.
    from cosim.netlist.rules.analyses import analyses
    from cosim.netlist.rules.bounds import bounds
    from cosim.netlist.rules.names import names
    from cosim.netlist.rules.parameters import parameters
    from cosim.netlist.rules.text import text_rules
    from cosim.netlist.rules.topology import topology
    from cosim.netlist.rules.values import values
    from cosim.netlist.rules.waveforms import waveforms

    findings = set(parsed.problems)
    for rules in (text_rules, names, parameters, values, topology, analyses, waveforms, bounds):
        findings.update(rules(parsed))
    return sorted(_waived(findings, parsed, allow))


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those that are no mere warnings."""
    return [finding for finding in findings if finding.severity == ERROR]


def _waived(findings: set[Finding], parsed: Parsed, allow: Iterable[str]) -> set[Finding]:
    """What no waiver covers, and what is wrong with the waivers."""
    broken = {finding.rule for finding in findings}
    allowed, about = set(), set()
    for rule in allow:
        fault = _waiver_fault(rule, "given with the command", broken)
        if fault is None:
            allowed.add(rule)
        else:
            about.add(Finding(0, fault[0], rule, "", *fault[1:]))
    for waiver in parsed.waivers:
        fault = _waiver_fault(waiver.rule, waiver.reason, broken)
        if fault is None:
            allowed.add(waiver.rule)
        else:
            about.add(found(waiver.statement, fault[0], waiver.rule, "", *fault[1:]))
    return {finding for finding in findings if finding.rule not in allowed} | about


def _waiver_fault(rule: str, reason: str, broken: set[str]) -> tuple[str, str, str] | None:
    """Rule, message and remedy of what is wrong with a waiver."""
    if rule not in RULES:
        return "waiver", f"There is no rule '{rule}' to allow.", "Copy the name from a finding."
    if rule in NOT_WAIVABLE:
        return "waiver", f"'{rule}' cannot be allowed.", "Correct what it finds."
    if not reason:
        return (
            "waiver", f"'{rule}' is allowed without a reason.",
            f"Write `* cosim: allow {rule} because ...`.",
        )  # fmt: skip
    if rule not in broken:
        return "unneeded-waiver", f"Nothing breaks '{rule}' any more.", "Remove the waiver."
    return None
