"""A circuit as a user brings it: a file, text, a PySpice circuit or one of our generators.

Its analyses and outputs are left out: what is simulated and recorded is asked of `simulate` and
the other analyses, for this circuit or a variant of it.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from cosim.errors import ConfigurationError, NetlistError
from cosim.html import folded, heading, table
from cosim.netlist.check import check, check_parsed, errors
from cosim.netlist.finding import NOT_WAIVABLE, WARNING, Finding
from cosim.netlist.model import Parsed
from cosim.netlist.parse import OUTPUTS, parse
from cosim.netlist.reading import read_text
from cosim.netlist.rules.analyses import ANALYSES
from cosim.netlist.trust import trusted_folders, trusted_notes, trusting
from cosim.netlist.variants import (
    changed,
    given_parameters,
    joined,
    models,
    names_corner,
    parameters_of,
    placed_statements,
)
from cosim.netlist.writing import plain, written_lines
from cosim.process.process import find_process

UNNEEDED = "unneeded-waiver"
LEFT_OUT = (*ANALYSES, *OUTPUTS, ".end")


class Netlist:
    """A circuit.

    Args:
        source: its text, with a title in the first line; or what has its text as `str()`: a
            PySpice `Circuit`, a netlist of one of our generators.
        process: name of the process whose transistor models it uses without including them; they
            are added at the corner, temperature and Monte Carlo seed that are asked for.
        path: of the file that it came from, beside which included files are searched; by default
            beside the working folder.
        trust: folders of foreign process libraries that it may include: ngspice reads their files
            as they are, and they may hold commands.

    Attributes:
        text: as it came.
        trusted: those folders.

    Raises:
        ConfigurationError: the source is no text, or there is no such process or folder.
    """

    def __init__(
        self,
        source: object,
        *,
        process: str | None = None,
        path: str | Path | None = None,
        trust: Sequence[str | Path] = (),
    ) -> None:
        self.text = _text(source)
        self.process = process
        self.path = (Path("netlist.cir") if path is None else Path(path)).resolve()
        self.trusted = trusted_folders(trust)
        if process is not None:
            find_process(process)
        self._corner = "typical"
        self._seed: int | None = None

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        process: str | None = None,
        trust: Sequence[str | Path] = (),
    ) -> "Netlist":
        """A netlist file; as the class, of its text.

        Raises:
            ConfigurationError: it cannot be read, or is no text.
        """
        path = Path(path)
        return cls(read_text(path) + "\n", process=process, path=path, trust=trust)

    @property
    def title(self) -> str:
        """The first line."""
        first = self.text.partition("\n")[0].strip()
        return first[6:].strip() if first.lower().startswith(".title") else first

    @cached_property
    def parameters(self) -> dict[str, str]:
        """Values or expressions of its `.param` lines, by name in lower case."""
        return parameters_of(self.text)

    def given(
        self,
        parameters: Mapping[str, float | str] | None = None,
        *,
        corner: str | None = None,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> "Netlist":
        """A variant.

        Args:
            parameters: values for names of its `.param` lines.
            corner: of the process; or, of a netlist that includes its models itself, the section
                of its `.lib` lines that name a corner.
            temperature: Celsius.
            seed: of Monte Carlo: of the process's variation and mismatch, or of the netlist's own
                random functions (`agauss`, ...).

        Raises:
            ConfigurationError: there is no such parameter or corner.
        """
        values = given_parameters(self.title, parameters or {}, self.parameters)
        lines = [
            changed(statement, inside, values, corner, temperature)
            for statement, inside in placed_statements(self.text)
        ]
        if temperature is not None:
            lines.append(f".temp {float(temperature)!r}")
        variant = Netlist(joined(self.text, lines), path=self.path, trust=self.trusted)
        variant.process = self.process
        variant._corner = corner or self._corner
        variant._seed = self._seed if seed is None else seed
        if self.process is not None:
            return variant
        if corner is not None and not any(map(names_corner, lines)):
            raise ConfigurationError(
                f"The netlist '{self.title}' has no `.lib FILE CORNER` line whose corner could be "
                f"'{corner}'. Give the netlist its `process`, or include its models by such lines."
            )
        if seed is not None:
            lines.append(f".options seed={int(seed)}")
            variant.text = joined(self.text, lines)
        return variant

    @cached_property
    def circuit(self) -> str:
        """Its text for ngspice, with models, without analyses and outputs."""
        added = "" if self.process is None else models(self.process, self._corner, self._seed)
        lines = [
            statement
            for statement, _ in placed_statements(self.text)
            if statement.split()[0].lower() not in LEFT_OUT
        ]
        title, _, rest = joined(self.text, lines).partition("\n")
        text = f"{title}\n{added}{rest}"
        with trusting(self.trusted):
            parsed = parse(text, self.path)
        if any(problem.rule in NOT_WAIVABLE for problem in parsed.problems):
            return text  # which `require_sound` refuses
        title, *rewritten = written_lines(parsed)
        return "\n".join([title, *_comments(parsed), *rewritten, ""])

    @cached_property
    def parsed(self) -> Parsed:
        """Its elements, scopes and devices."""
        with trusting(self.trusted):
            return parse(self.circuit, self.path)

    @property
    def trust_notes(self) -> tuple[str, ...]:
        """A sentence for each trusted file that it includes, as that is now."""
        with trusting(self.trusted):
            return trusted_notes(self.circuit)

    @cached_property
    def findings(self) -> list[Finding]:
        """What the electrical rules find."""
        return check_parsed(self.parsed)

    def require_sound(self, analysis: str = "") -> None:
        """Refuse a circuit that ngspice might answer wrongly, and warn of what is surely a slip,
        and of what is trusted.

        Args:
            analysis: the line of the analysis that it is for: some rules are about time steps.

        Raises:
            NetlistError: the electrical rules find an error; the message says which.
        """
        with trusting(self.trusted):
            everything = check(f"{self.circuit}{analysis}\n", self.path)
        slips = [one for one in everything if one.severity == WARNING]
        for said in (*(one for one in slips if one.rule != UNNEEDED), *self.trust_notes):
            warnings.warn(f"The netlist '{self.title}': {said}", stacklevel=3)
        if findings := errors(everything):
            raise NetlistError(
                f"The netlist '{self.title}' breaks {len(findings)} of the electrical rules, and "
                f"ngspice might answer it wrongly. The first: {findings[0]} `cosim.check(netlist)` "
                "lists them all."
            )

    @cached_property
    def nodes(self) -> list[str]:
        """Every node but ground, with the path of its subcircuit: `out`, `x1.tail`."""
        found = {
            node: None
            for device in self.parsed.devices()
            for node in (*device.terminals, *device.controls)
        }
        return [node for node in found if node != "0"]

    @cached_property
    def currents(self) -> dict[str, str]:
        """ngspice's vectors of the currents that it gives, by name: `i(vdd)`, `i(x1.vsense)`."""
        found = {}
        for device in self.parsed.devices():
            if device.element.is_voltage or device.element.letter == "l":
                path, _, name = device.path.rpartition(".")
                vector = f"{name[0]}.{path}.{name}" if path else name
                found[f"i({device.path})"] = f"{vector}#branch"
        return found

    @cached_property
    def size(self) -> str:
        """Such as `12 devices (2 c, 6 m, 4 r), 7 nodes`."""
        kinds = Counter(device.element.letter for device in self.parsed.devices())
        counted = ", ".join(f"{count} {letter}" for letter, count in sorted(kinds.items()))
        return f"{kinds.total()} devices ({counted}), {len(self.nodes)} nodes"

    def __repr__(self) -> str:
        return f"<Netlist {self.title}: {self.size}; {len(self.findings)} findings>"

    def _repr_html_(self) -> str:
        return _shown(self)


def _text(source: object) -> str:
    if isinstance(source, Path) or (isinstance(source, str) and "\n" not in source.strip()):
        raise ConfigurationError(
            f"{str(source)[:100]!r} is not the text of a netlist: that has a title line and "
            "then an element in each line. Read a file with `Netlist.read(path)`."
        )
    return str(source)


def _comments(parsed: Parsed) -> Iterator[str]:
    """Its waivers, as comments."""
    for waiver in parsed.waivers:
        yield f"* cosim: allow {waiver.rule} because {plain(waiver.reason)}"


def _shown(netlist: Netlist) -> str:
    """HTML: its facts and findings, and its text folded."""
    top = [node for node in netlist.nodes if "." not in node]
    facts = [
        ("size", netlist.size),
        ("nodes", ", ".join(top)),
        ("currents", ", ".join(name for name in netlist.currents if "." not in name)),
        ("parameters", ", ".join(f"{name}={value}" for name, value in netlist.parameters.items())),
        ("process", netlist.process or ""),
        ("trusted", " ".join(netlist.trust_notes)),
        ("findings", "; ".join(map(str, netlist.findings)) or "none"),
    ]
    return (
        heading(netlist.title, "netlist")
        + table(("", ""), [fact for fact in facts if fact[1]])
        + folded("text", table(("",), [(line,) for line in netlist.text.splitlines()]))
    )
