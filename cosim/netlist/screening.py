"""Statements that are not read: those that would make ngspice run commands, and parts of `.if`.

Source: ngspice manual, sections 2.13 (.if), 13 (.control).
"""

import re

from cosim.netlist.expression import constant
from cosim.netlist.finding import Finding, found
from cosim.netlist.model import Scope, Statement

REFUSED = (
    ".control", ".exec", ".shell", ".system", "shell", "system", "codemodel", "pre_codemodel",
    "pre_osdi", ".pre_osdi", "source", ".source",
)  # fmt: skip
"""Statements that run commands or load code."""

_READS_FILES = re.compile(r"\bfile\s*=|\bfilesource\b|\bd_process\b", re.IGNORECASE)


class Screen:
    """What has to be refused, a `.control` block as a whole."""

    def __init__(self) -> None:
        self._in_control = False
        self.problems: list[Finding] = []

    def refuses(self, statement: Statement, word: str) -> bool:
        """Whether the statement is not to be read; says why in `problems`."""
        if self._in_control:
            self._in_control = word != ".endc"
            return True
        if word in REFUSED or "`" in statement.text or word.startswith("!"):
            self._in_control = word == ".control"
            why = f"'{word}' would make ngspice run commands; netlists that do are not accepted."
            remedy = "Remove it; analyses can be given as .tran, .ac, .dc or .op lines."
        elif _READS_FILES.search(statement.text):
            why = f"'{word}' reads a file or starts a process."
            remedy = "Remove it; a waveform can be given as a PWL source."
        else:
            return False
        self.problems.append(found(statement, "refused", word, "", why, remedy))
        return True


class Conditions:
    """Open `.if` parts, the innermost last."""

    def __init__(self) -> None:
        self._branches: list[_Branch] = []

    def leave_out(self, statement: Statement, word: str, scope: Scope) -> bool:
        """Follow `.if`, `.elseif`, `.else` and `.endif`; whether the statement is not in force.

        A condition whose value is not known here counts as true.
        """
        holds = constant(statement.text[len(word) :].strip(), scope) != 0
        match word:
            case ".if":
                outer = not self._branches or self._branches[-1].in_force
                self._branches.append(_Branch(outer))
                self._branches[-1].offer(holds)
            case ".elseif" if self._branches:
                self._branches[-1].offer(holds)
            case ".else" if self._branches:
                self._branches[-1].offer(True)
            case ".endif" if self._branches:
                self._branches.pop()
            case _:
                return bool(self._branches) and not self._branches[-1].in_force
        return True


class _Branch:
    """An open `.if`: whether its present part is in force, and whether one was before."""

    def __init__(self, outer: bool) -> None:
        self._outer, self._taken, self.in_force = outer, False, False

    def offer(self, holds: bool) -> None:
        """The next part, whose condition holds or does not."""
        self.in_force = self._outer and not self._taken and holds
        self._taken = self._taken or self.in_force
