"""The electrical rules, from the front door."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from cosim.html import heading, table
from cosim.lockstep.block import Block, port_lines
from cosim.lockstep.scheme import Linearised
from cosim.netlist.circuit import Netlist
from cosim.netlist.finding import Finding
from cosim.netlist.trust import trusting


class Findings(tuple[Finding, ...]):
    """What the electrical rules find in a netlist; empty, and false, for a sound one."""

    def _repr_html_(self) -> str:
        if not self:
            return heading("Electrical rules", "nothing found")
        rows = [
            (one.line or "", one.severity, one.rule, one.element, one.node, one.message, one.remedy)
            for one in self
        ]
        columns = ("line", "severity", "rule", "element", "node", "what", "what to do")
        return heading("Electrical rules", f"{len(self)} findings") + table(columns, rows)


def check(
    netlist: Netlist | str | Path, allow: Iterable[str] = (), blocks: Sequence[Block] = ()
) -> Findings:
    """What the electrical rules find in a netlist, or in the file of this path.

    Lines are those of the netlist as it came.

    Args:
        allow: names of rules that are waived, beside those that a comment in the netlist waives:
            `* cosim: allow RULE because REASON`.
        blocks: what takes and drives nodes of it, which would float without.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    from cosim.netlist.check import check as check_text

    if not isinstance(netlist, Netlist):
        netlist = Netlist.read(netlist)
    text = netlist.text
    if blocks:
        lines = ["" if line.strip().lower() == ".end" else line for line in text.splitlines()]
        text = "\n".join([*lines, port_lines(blocks, Linearised), ""])
    with trusting(netlist.trusted):
        return Findings(check_text(text, netlist.path, allow))
