"""Included files and library sections: from the netlist's own folder, or of an installed process.

Source: ngspice manual, sections 2.7 (.include) and 2.8 (.lib).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cosim.errors import ConfigurationError
from cosim.netlist.finding import Finding, found
from cosim.netlist.reading import is_process_library, library_section, read_text, statements
from cosim.netlist.statement import Statement

MAXIMUM_DEPTH, MAXIMUM_FILES = 20, 500
"""Files inside each other, and files that are read in all (one that is included twice counts
twice).
"""

_QUOTED = r"""(?:"([^"]+)"|'([^']+)'|(\S+))"""
_SECTION = re.compile(r"[\w.+-]*", re.ASCII)
_INCLUDE = re.compile(rf"\.\w+\s+{_QUOTED}(?:\s+{_QUOTED})?")


class IncludeError(Exception):
    """A file that is not read; `finding` says why."""

    def __init__(self, statement: Statement, rule: str, message: str, remedy: str) -> None:
        word = statement.text.split()[0].lower()
        self.finding: Finding = found(statement, rule, word, "", message, remedy)
        super().__init__(message)


class Includes:
    """Files and their sections that are being read, the innermost last."""

    def __init__(self, path: Path | None) -> None:
        self._folder = path.resolve().parent if path is not None else None
        self._open: list[tuple[Path, str]] = [(path.resolve(), "")] if path is not None else []
        self._read = 0

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
        is_library = statement.text.lower().startswith(".lib")
        name, section = parts[0], parts[1] if parts[1:] and is_library else ""
        if name.startswith("~") or "$" in name:
            raise IncludeError(
                statement, "refused", f"'{name}' is a name that ngspice would expand.",
                "Write the name of a file beside the netlist.",
            )  # fmt: skip
        if _SECTION.fullmatch(section) is None:
            raise IncludeError(
                statement, "refused", f"'{section}' is no name of a section.",
                "Name it with letters, digits, dots, - and _.",
            )  # fmt: skip
        beside = self._open[-1][0].parent / name
        file = (beside if beside.is_file() else self._folder / name).resolve()
        if is_process_library(file):
            return file, name, section
        if not file.is_relative_to(self._folder):
            raise IncludeError(
                statement, "refused", f"'{name}' is outside the netlist's folder.",
                "Copy it beside the netlist, use the installed process models, or `--trust` the "
                "folder of a foreign process library.",
            )  # fmt: skip
        circular = (file, section.lower()) in self._open
        if circular or not file.is_file():
            fault = "does not exist"
            if file.exists():
                fault = "includes itself" if circular else "is no regular file"
            raise IncludeError(statement, "unknown-file", f"'{name}' {fault}.", "Correct the name.")
        self._read += 1
        if len(self._open) > MAXIMUM_DEPTH or self._read > MAXIMUM_FILES:
            raise IncludeError(
                statement, "refused",
                f"'{name}' is not read: at most {MAXIMUM_FILES} files are included, at most "
                f"{MAXIMUM_DEPTH} inside each other.",
                "Put what they hold into fewer files.",
            )  # fmt: skip
        return file, name, section

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
        self._open.append((file, section.lower()))  # a section may take another of its file
        try:
            yield text, content
        finally:
            self._open.pop()
