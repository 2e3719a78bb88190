"""What is installed, what is missing, what that costs, and how to get it."""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from importlib.metadata import version as distribution_version
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cosim.engine.closing import barriers
from cosim.engine.library import (
    HOW_TO_INSTALL,
    MINIMUM_VERSION,
    PROJECT_FOLDER_NAME,
    NgspiceCapabilities,
    NgspiceLibrary,
    find_library,
    operating_point,
    probe,
    project_folder,
)
from cosim.errors import EngineError
from cosim.process.gf180mcu import GF180MCU

SET_UP_AGAIN = "Run `make setup`."
NEWER_NGSPICE = "Debian's ngspice 44 and later have it, as has the one of `make setup`."

NFET_WIDTH_MICROMETRE = 10.0
NFET = """\
.include {models}/design.ngspice
.lib {models}/sm141064.ngspice typical
v_on d_on 0 3.3
x_on d_on d_on 0 0 nfet_03v3 w={width}u l=0.28u
v_off d_off 0 3.3
x_off d_off 0 0 0 nfet_03v3 w={width}u l=0.28u
"""
# Velocity saturation limits a 3.3 V transistor with 8 nm of oxide to
# C_ox v_sat (V_GS - V_T) = 4.3 mF/m2 * 8e4 m/s * 2.6 V = 0.9 mA/um; a fifth of it is no such
# transistor any more.
NFET_ON_AMPERE_PER_MICROMETRE = (0.2e-3, 0.9e-3)
NFET_OFF_AMPERE_PER_MICROMETRE = 1e-9


class Status(Enum):
    """How a part of the installation is."""

    OK = "ok"
    LIMITED = "limited"
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """One part of the installation.

    Attributes:
        part: its name.
        status: `LIMITED` costs something, with `MISSING` nothing runs.
        found: what is there.
        advice: what its lack costs, and what to do about it.
    """

    part: str
    status: Status
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Report:
    """All findings, in the order in which they are shown."""

    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Simulations can run."""
        return all(finding.status is not Status.MISSING for finding in self.findings)


def examine() -> Report:
    """Look at everything that a simulation needs; takes a few seconds."""
    return Report(
        (
            Finding("Python", Status.OK, f"{platform.python_version()} ({sys.executable})"),
            _package("PySpice", "PySpice.Spice.NgSpice.Shared"),
            *_ngspice(),
            _room(),
            _package("torch", "torch", _torch_details),
            _package("h5py", "h5py", _h5py_details),
            Finding("cores", Status.OK, str(_core_count())),
            Finding("memory", Status.OK, f"{_memory_byte() / 2**30:.1f} GiB"),
        )
    )


def render(report: Report, console: Console) -> None:
    """Print the report as a table, then one line that says whether simulations can run."""
    colours = {Status.OK: "green", Status.LIMITED: "yellow", Status.MISSING: "bold red"}
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in report.findings:
        status = Text(finding.status.value, style=colours[finding.status])
        explained = "\n".join(line for line in (finding.found, finding.advice) if line)
        table.add_row(finding.part, status, Text(explained))
    console.print(table)
    console.print(
        "Simulations can run." if report.usable else "Simulations cannot run: see what is missing."
    )


def _package(distribution: str, module: str, details: Callable[[], str] | None = None) -> Finding:
    try:
        import_module(module)
    except (ImportError, OSError) as error:  # OSError: a shared library of it cannot be loaded
        return Finding(distribution, Status.MISSING, str(error), SET_UP_AGAIN)
    found = distribution_version(distribution)
    return Finding(distribution, Status.OK, found if details is None else f"{found}, {details()}")


def _torch_details() -> str:
    import torch

    return f"{torch.get_num_threads()} threads"


def _h5py_details() -> str:
    import h5py

    return f"HDF5 {h5py.version.hdf5_version}"


def _ngspice() -> Iterator[Finding]:
    try:
        library = find_library()
        capabilities = probe(library)
    except EngineError as error:
        yield Finding("libngspice", Status.MISSING, "not found or not working", str(error))
        return
    found = f"ngspice {capabilities.version}, {library.origin}: {library.library_path}"
    if capabilities.version < MINIMUM_VERSION:
        advice = f"Version {MINIMUM_VERSION} or later is needed. {HOW_TO_INSTALL}"
        yield Finding("libngspice", Status.MISSING, found, advice)
    else:
        yield Finding("libngspice", Status.OK, found)
    yield from _capabilities(capabilities)
    yield _executable(library)
    yield _process_models(library)


def _room() -> Finding:
    found_barriers = barriers()
    held = [one.what for one in found_barriers if not one.why_open]
    broken = [f"{one.what} ({one.why_open})" for one in found_barriers if one.why_open]
    found = f"ngspice alone {'; '.join(held)}" if held else "open"
    found += ". Beside blocks only the reading of netlists is held to it."
    if not broken:
        return Finding("closed room", Status.OK, found)
    advice = (
        f"Not held: {'; '.join(broken)}. Nothing but the list of what a netlist may hold keeps "
        "ngspice from that. It takes Linux 5.13 or later with Landlock (for TCP 6.7), and "
        "libseccomp (`apt install libseccomp2`)."
    )
    return Finding("closed room", Status.LIMITED, found, advice)


def _capabilities(capabilities: NgspiceCapabilities) -> Iterator[Finding]:
    for part, there, use, lack in (
        (
            "KLU",
            capabilities.klu,
            "fast sparse solver",
            "Arrays with wire resistance are solved with SPARSE 1.3: 4 times slower at 32 x 32. "
            + NEWER_NGSPICE,
        ),
        (
            "OSDI",
            capabilities.osdi,
            "compiled Verilog-A models",
            f"Device models in Verilog-A cannot be loaded. {NEWER_NGSPICE}",
        ),
        (
            "XSPICE",
            capabilities.xspice,
            "code models",
            "Netlists with code models (A devices) cannot be simulated. ngspice's start-up file "
            "`spinit` should load them: install the whole of the distribution's ngspice, or use "
            "the one of `make setup`.",
        ),
    ):
        status = Status.OK if there else Status.LIMITED
        yield Finding(part, status, use if there else "not there", "" if there else lack)


def _executable(library: NgspiceLibrary) -> Finding:
    if library.executable_path is not None:
        return Finding("plain ngspice", Status.OK, str(library.executable_path))
    advice = f"Netlists cannot be run by hand, nor results be checked with it. {SET_UP_AGAIN}"
    return Finding("plain ngspice", Status.LIMITED, "not there", advice)


def _process_models(library: NgspiceLibrary) -> Finding:
    part = "process models"
    models = GF180MCU.installed_folder()
    if models is None:
        return Finding(part, Status.MISSING, "GF180MCU is not installed", SET_UP_AGAIN)
    netlist = NFET.format(models=models, width=NFET_WIDTH_MICROMETRE)
    try:
        currents = operating_point(library, netlist, ["i(v_on)", "i(v_off)"])
    except EngineError as error:
        return Finding(part, Status.MISSING, f"GF180MCU in {models} does not load", str(error))
    on, off = (-currents[source] / NFET_WIDTH_MICROMETRE for source in ("i(v_on)", "i(v_off)"))
    found = f"GF180MCU: nfet_03v3 carries {on * 1e3:.3g} mA/um on, {off * 1e12:.3g} pA/um off"
    lowest, highest = NFET_ON_AMPERE_PER_MICROMETRE
    if not (lowest < on < highest and 0 <= off < NFET_OFF_AMPERE_PER_MICROMETRE):
        advice = f"No 3.3 V transistor does that: {models} is damaged. {SET_UP_AGAIN}"
        return Finding(part, Status.MISSING, found, advice)
    link = project_folder() / PROJECT_FOLDER_NAME / "gf180mcu"
    if not _same_folder(link, models):
        advice = f"The netlists in `netlists/` look for them in {link}. {SET_UP_AGAIN}"
        return Finding(part, Status.LIMITED, found, advice)
    return Finding(part, Status.OK, found)


def _same_folder(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)


def _core_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_byte() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
