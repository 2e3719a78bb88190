"""The text that ngspice is given: written anew from the statements that were read.

No line of a user's file reaches ngspice as it stands: there are no comments, no file names but
those of installed process libraries, and no directives that the reader does not know.
"""

import re
from pathlib import Path

from cosim.errors import NetlistError
from cosim.netlist.finding import NOT_WAIVABLE
from cosim.netlist.model import Parsed
from cosim.netlist.parse import parse

_UNPRINTED = re.compile(r"[^A-Za-z0-9 .,:_()=+-]")


def written(text: str, path: Path | None = None) -> str:
    """A netlist for ngspice, included files and library sections in their places.

    Args:
        path: of the file it came from; includes are searched from its folder.

    Raises:
        NetlistError: it holds what is not given to ngspice; the message says what and where.
    """
    return "\n".join([*written_lines(parse(text, path)), ".end", ""])


def written_lines(parsed: Parsed) -> list[str]:
    """As `written`, of a netlist that has been read: its lines without `.end`."""
    for problem in sorted(parsed.problems):
        if problem.rule in NOT_WAIVABLE:
            raise NetlistError(f"The netlist is not given to ngspice. {problem}")
    return [
        plain(parsed.title) or "netlist",
        *(" ".join(statement.text.split()) for statement in parsed.statements),
    ]


def without_comments(netlist: str) -> str:
    """As it is, but for its title and comments: some of them are commands to ngspice.

    Lines stay where they are: ngspice counts them in its messages, and PySpice drops empty ones.
    """
    title, *lines = netlist.splitlines() or [""]
    kept = ["*" if line.lstrip()[:1] in ("", "*") else line for line in lines]
    return "\n".join([plain(title) or "netlist", *kept])


def plain(text: str) -> str:
    """A title or comment of which ngspice makes nothing else: it includes the file that a title
    `.include FILE` names.
    """
    return _UNPRINTED.sub(" ", text).strip().lstrip(" .,:_()=+-")
