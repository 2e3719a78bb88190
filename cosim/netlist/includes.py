"""Included files and library sections: from the netlist's own folder, or of an installed process.

Source: ngspice manual, sections 2.7 (.include) and 2.8 (.lib).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cosim.errors import ConfigurationError
from cosim.netlist.finding import Finding, found
from cosim.netlist.model import Statement
from cosim.netlist.reading import is_process_library, library_section, read_text, statements

_QUOTED = r"""(?:"([^"]+)"|'([^']+)'|(\S+))"""
_INCLUDE = re.compile(rf"\.\w+\s+{_QUOTED}(?:\s+{_QUOTED})?")


class IncludeError(Exception):
    """A file that is not read; `finding` says why."""

    def __init__(self, statement: Statement, rule: str, message: str, remedy: str) -> None:
        word = statement.text.split()[0].lower()
        self.finding: Finding = found(statement, rule, word, "", message, remedy)
        super().__init__(message)


class Includes:
    """Files that are being read, the innermost last."""

    def __init__(self, path: Path | None) -> None:
        self._folder = path.resolve().parent if path is not None else None
        self._open: list[Path] = [path.resolve()] if path is not None else []

    def named(self, statement: Statement) -> tuple[Path, str, str]:
        """The file that an include names, its name as written, and the section of a `.lib`.

        Raises:
            IncludeError: it may not be read, or is not there.
        """
        match = _INCLUDE.match(statement.text)
        parts = [part for part in match.groups() if part] if match else []
        if self._folder is None or not parts:
            raise IncludeError(
                statement, "refused", f"'{' '.join(parts)}' cannot be included from here.",
                "Give the netlist as a file, and the name of a file beside it.",
            )  # fmt: skip
        name, section = parts[0], parts[1] if parts[1:] else ""
        file = (self._folder / name).resolve()
        if is_process_library(file):
            return file, name, section
        if not file.is_relative_to(self._folder):
            raise IncludeError(
                statement, "refused", f"'{name}' is outside the netlist's folder.",
                "Copy it beside the netlist, or use the installed process models.",
            )  # fmt: skip
        if file in self._open or not file.is_file():
            fault = "includes itself" if file in self._open else "does not exist"
            raise IncludeError(statement, "unknown-file", f"'{name}' {fault}.", "Correct the name.")
        return file, name, section if statement.text.lower().startswith(".lib") else ""

    @contextmanager
    def content(
        self, statement: Statement, file: Path, section: str
    ) -> Iterator[tuple[str, list[tuple[int, str]]]]:
        """Its text, and its statements (of one section, if that is asked for).

        Raises:
            IncludeError: it cannot be read, or has no such section.
        """
        try:
            text = read_text(file)
        except ConfigurationError as error:
            raise IncludeError(statement, "unknown-file", str(error), "Correct it.") from None
        content: list[tuple[int, str]] | None = list(statements(text, titled=False))
        if section:
            content = library_section(content or [], section)
        if content is None:
            raise IncludeError(
                statement, "unknown-file", f"'{file.name}' has no section '{section}'.",
                "Correct the section's name.",
            )  # fmt: skip
        self._open.append(file)
        try:
            yield text, content
        finally:
            self._open.pop()
