"""SPICE netlists as data: our own and foreign ones, with line numbers, hierarchy and graph.

ngspice itself runs `.control` blocks and shell commands, so what would do that is refused by
name, as is a file outside the netlist's own folder.
Source: ngspice manual, chapter 2 (circuit description).
"""

from collections.abc import Iterable
from pathlib import Path

from cosim.netlist.elements import (
    ELEMENT_LETTERS,
    node_name,
    read_element,
    sensed_nodes,
    split_parameters,
    tokens_of,
)
from cosim.netlist.expression import definitions
from cosim.netlist.finding import found
from cosim.netlist.includes import IncludeError, Includes
from cosim.netlist.model import Model, Parameter, Parsed, Scope
from cosim.netlist.reading import (
    is_process_library,
    process_library,
    read_text,
    statements,
    waivers,
)
from cosim.netlist.screening import Conditions, Screen
from cosim.netlist.statement import Statement

INCLUDES = (".inc", ".lib")
"""What a word begins with that ngspice takes for an include."""

OUTPUTS = (".save", ".print", ".plot", ".probe", ".meas", ".measure", ".four")


def parse(text: str, path: Path | None = None) -> Parsed:
    """Read a netlist.

    Args:
        path: of the file; includes are searched from its folder. None: no includes.
    """
    reader = _Reader(path)
    reader.read_top(text)
    return reader.parsed


def read_netlist(path: Path) -> Parsed:
    """Read a netlist file.

    Raises:
        ConfigurationError: it cannot be read, or is no text.
    """
    return parse(read_text(path), path)


class _Reader:
    """Statements into scopes."""

    def __init__(self, path: Path | None) -> None:
        self.parsed = Parsed(Scope("", Statement(1, "")))
        self._top = self._scope = self.parsed.top
        self._includes = Includes(path)
        self._screen, self._conditions = Screen(), Conditions()

    def read_top(self, text: str) -> None:
        """Read the netlist itself."""
        self.parsed.title = text.partition("\n")[0].strip()
        self.parsed.waivers += waivers(text, "")
        self._read(statements(text, titled=True), "")
        self.parsed.problems += self._screen.problems
        if self._scope is not self._top:
            self._problem(
                "unclosed-subcircuit", self._scope.statement, self._scope.name,
                f"Subcircuit '{self._scope.name}' has no .ends.", "Close it with .ends.",
            )  # fmt: skip

    def _read(self, content: Iterable[tuple[int, str]], file: str) -> None:
        for line, text in content:
            self._statement(Statement(line, text, file))

    def _problem(
        self, rule: str, statement: Statement, element: str, message: str, remedy: str
    ) -> None:
        self.parsed.problems.append(found(statement, rule, element, "", message, remedy))

    def _statement(self, statement: Statement) -> None:
        tokens = tokens_of(statement.text)
        if not tokens:
            return
        word = tokens[0].lower()
        if self._screen.refuses(statement, word):
            return
        if word.startswith(INCLUDES):  # as ngspice, before conditions
            self._include(statement)
            return
        if word != ".title":
            self.parsed.statements.append(statement)
        if self._conditions.leave_out(statement, word, self._scope):
            return
        if word.startswith("."):
            self._directive(statement, word, tokens)
        elif word[0] in ELEMENT_LETTERS:
            self._element(statement, tokens)
        else:
            self._problem(
                "syntax", statement, word, f"'{tokens[0]}' is no element and no statement.",
                "Correct the line; a comment starts with *.",
            )  # fmt: skip

    def _directive(self, statement: Statement, word: str, tokens: list[str]) -> None:
        match word:
            case ".subckt":
                self._open(statement, tokens)
            case ".ends" if self._scope.parent is not None:
                self._scope = self._scope.parent
            case ".ends":
                self._problem("syntax", statement, word, ".ends without .subckt.", "Remove it.")
            case ".model" if len(tokens) >= 3:
                self._define_model(statement, tokens)
            case ".model":
                self._problem(
                    "syntax", statement, word, ".model needs a name and a type.",
                    "Complete the line.",
                )  # fmt: skip
            case ".param" | ".csparam":
                for name, expression, is_function in definitions(statement.text[len(word) :]):
                    if is_function:
                        self._scope.functions.add(name)
                    else:
                        self._define_parameter(Parameter(statement, name, expression))
            case ".func" if len(tokens) > 1:
                self._scope.functions.add(tokens[1].lower())
            case ".global":
                self.parsed.global_nodes.update(map(node_name, tokens[1:]))
            case _:
                self.parsed.directives.append((statement, self._scope))
                if word in OUTPUTS:
                    self.parsed.observed.update(sensed_nodes(statement.text))

    def _define_parameter(self, parameter: Parameter) -> None:
        before = self._scope.parameters.get(parameter.name)
        if before is not None:
            self._problem(
                "duplicate-parameter", parameter.statement, parameter.name,
                f"'{parameter.name}' is defined in line {before.statement.line} too; ngspice "
                "takes the last one for both.",
                "Remove one definition, or rename it.",
            )  # fmt: skip
        self._scope.parameters[parameter.name] = parameter

    def _define_model(self, statement: Statement, tokens: list[str]) -> None:
        name = tokens[1].lower()
        if (before := self._scope.models.get(name)) is not None:
            self._duplicate(statement, name, "Model", before.statement.line)
        words, parameters = split_parameters(tokens[2:])
        kind = next((word for word in words if word not in "()"), "")
        self._scope.models[name] = Model(statement, name, kind.lower(), parameters)

    def _duplicate(self, statement: Statement, name: str, what: str, before: int) -> None:
        self._problem(
            "duplicate-name", statement, name,
            f"{what} '{name}' is defined in line {before} too; ngspice silently takes one.",
            "Rename one of them.",
        )  # fmt: skip

    def _open(self, statement: Statement, tokens: list[str]) -> None:
        if len(tokens) < 2:
            self._problem("syntax", statement, ".subckt", ".subckt needs a name.", "Name it.")
            return
        name = tokens[1].lower()
        ports = []
        _, arguments = split_parameters(tokens[2:])
        for index in range(2, len(tokens)):
            follows = tokens[index + 1] if index + 1 < len(tokens) else ""
            if follows == "=" or tokens[index].lower() == "params:":
                break
            ports.append(node_name(tokens[index]))
        scope = Scope(
            name, statement, tuple(ports), parent=self._scope, arguments=frozenset(arguments)
        )
        for argument, text in arguments.items():
            scope.parameters[argument] = Parameter(statement, argument, text.strip("{}'\""))
        if (other := self._scope.subcircuits.get(name)) is not None and not other.external:
            self._duplicate(statement, name, "Subcircuit", other.statement.line)
        self._scope.subcircuits[name] = scope
        self._scope = scope

    def _include(self, statement: Statement) -> None:
        try:
            file, name, section = self._includes.named(statement)
            if is_process_library(file):
                self._declare(file)
                line = f'.lib "{file}" {section}' if section else f'.include "{file}"'
                self.parsed.statements.append(Statement(statement.line, line, statement.file))
                return
            with self._includes.content(statement, file, section) as (text, content):
                self.parsed.waivers += waivers(text, name)
                self._read(content, name)
        except IncludeError as error:
            self.parsed.problems.append(error.finding)

    def _declare(self, file: Path) -> None:
        """Take the names and ports of a process library's subcircuits, not their insides."""
        library = process_library(file)
        for name, (ports, arguments) in library.subcircuits.items():
            inner = Scope(name, Statement(0, ""), ports, arguments=arguments, external=True)
            self._top.subcircuits.setdefault(name, inner)
        for name in library.models:
            self._top.models.setdefault(name, None)
        self._top.from_library.update(library.parameters)

    def _element(self, statement: Statement, tokens: list[str]) -> None:
        name = tokens[0].lower()
        try:
            element = read_element(statement, tokens)
        except ValueError as error:
            self._problem("wrong-count", statement, name, str(error), "Complete the line.")
            return
        if (before := self._scope.defined.setdefault(name, statement)) is not statement:
            self._duplicate(statement, name, "Element", before.line)
        self._scope.elements.append(element)
