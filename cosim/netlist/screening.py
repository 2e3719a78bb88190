"""Statements that are not read: those that would make ngspice run commands, and parts of `.if`.

ngspice is given only what is listed here: what is not, is refused by name.
Source: ngspice manual, sections 2.13 (.if), 8 (XSPICE models), 13 (.control).
"""

import re
from itertools import accumulate

from cosim.netlist.expression import constant
from cosim.netlist.finding import Finding, found
from cosim.netlist.model import Scope
from cosim.netlist.statement import Statement

_DIRECTIVES = """
    .subckt .ends .model .param .csparam .func .global .if .elseif .else .endif .options .option
    .opt .temp .title .ic .nodeset .save .print .plot .probe .meas .measure .four .width .op .dc
    .ac .noise .tran .pz .sens .tf .disto .sp .pss .end
"""
DIRECTIVES = frozenset(_DIRECTIVES.split())
"""What ngspice is given, beside included files."""

_COMMANDS = """
    .control .exec .shell .system shell system codemodel pre_codemodel pre_osdi .pre_osdi osdi
    source .source alias
"""
COMMANDS = frozenset(_COMMANDS.split())
"""What makes ngspice run commands or load code."""

_MODELS = """
    r c l k d npn pnp nmos pmos njf pjf nmf pmf nhfet phfet sw csw vswitch iswitch urc ltra txl
    cpl vdmos vdmosn vdmosp adc_bridge dac_bridge bidi_bridge d_to_real real_to_v real_delay
    real_gain d_and d_nand d_or d_nor d_xor d_xnor d_buffer d_inverter d_tristate d_pullup
    d_pulldown d_open d_dff d_jkff d_tff d_srff d_dlatch d_srlatch d_ram d_osc d_pwm d_fdiv
    d_lut d_genlut aswitch pswitch climit limit ilimit hyst slew gain summer mult divide int
    d_dt s_xfer delay pwl pwlts multi_input_pwl sine square triangle oneshot zener core cmeter
    lmeter lcouple potentiometer memristor sidiode seegen spice2poly
"""
MODELS = frozenset(_MODELS.split())
"""Kinds of models that read no file, load no code and start no process."""

MOST_DIGITS, MOST_LETTERS, MOST_NESTED, MOST_CHARACTERS = 300, 1000, 100, 8_000_000
"""Of a number, of a name, of parentheses inside each other, and of a statement."""

_DIGITS = re.compile(rf"\d{{{MOST_DIGITS + 1}}}|\w{{{MOST_LETTERS + 1}}}", re.ASCII)
_NESTING = re.compile(r"[({[]|[)}\]]")
_READS_FILES = re.compile(
    r"""file\s*(?:=|["'])|\b(?:filesource|d_process|d_cosim)\b|\bsimulation\s*=""", re.IGNORECASE
)
_MODEL = re.compile(r"^\.model[\s,]+[^\s,()=]+[\s,(]+([a-z_]\w*)", re.IGNORECASE | re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


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
        self._in_control = word == ".control"
        reason = _reason(statement.text, word)
        if reason is not None:
            self.problems.append(found(statement, "refused", word[:40], "", *reason))
        return reason is not None


def _reason(text: str, word: str) -> tuple[str, str] | None:
    """Why a statement is refused, and what to do; None where it is not."""
    if len(text) > MOST_CHARACTERS or _DIGITS.search(text):
        return (
            f"It is longer than {MOST_CHARACTERS} characters, or has a number of more than "
            f"{MOST_DIGITS} digits or a name of more than {MOST_LETTERS} letters.", "Shorten it.",
        )  # fmt: skip
    if _nested(text) > MOST_NESTED:
        return f"It has more than {MOST_NESTED} parentheses inside each other.", "Remove some."
    if _CONTROL.search(text):
        return "It holds a control character.", "Remove it."
    if word in COMMANDS or "`" in text or word.startswith("!"):
        return (
            f"'{word}' would make ngspice run commands; netlists that do are not accepted.",
            "Remove it; analyses can be given as .tran, .ac, .dc or .op lines.",
        )
    if _READS_FILES.search(text):
        return (
            f"'{word}' reads a file or starts a process.",
            "Remove it; a waveform can be given as a PWL source.",
        )
    if word.startswith(".") and word not in DIRECTIVES and not word.startswith((".inc", ".lib")):
        return f"'{word}' is no directive that ngspice is given.", "Remove or correct it."
    if word == ".model" and len(text.split()) > 2:
        match = _MODEL.match(text)
        kind = match[1].lower() if match else "it"
        if kind not in MODELS:
            return (
                f"'{kind}' is no kind of model that ngspice is given: it may read files or load "
                "code.",
                "Use a device of SPICE, or a code model that does neither.",
            )
    return None


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


def _nested(text: str) -> int:
    """How many parentheses, of any kind, are open at once."""
    steps = (1 if sign in "({[" else -1 for sign in _NESTING.findall(text))
    return max(accumulate(steps), default=0)
