"""Installs libngspice for this project: `python -m cosim.engine.install`.

On Debian 12 ngspice 46 is unpacked from bookworm-backports into `.ngspice/root`, without root
rights and beside nothing else on the machine. Elsewhere, or when that fails, a libngspice that is
there already will do, else apt installs one when this runs as root. `.ngspice/gf180mcu` and
`.ngspice/sky130` lead to the transistor models, so that netlists name them by a path that is the
same on each machine.
Each step says what it does; doing it twice changes nothing.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cosim.engine.library import (
    ENVIRONMENT_VARIABLE,
    INSTALL_BY_HAND,
    MINIMUM_VERSION,
    PROJECT_FOLDER_NAME,
    NgspiceCapabilities,
    NgspiceLibrary,
    find_library,
    find_system_library,
    probe,
    project_folder,
)
from cosim.errors import ConfigurationError, CosimError, EngineError, LibraryNotFoundError
from cosim.process.gf180mcu import GF180MCU
from cosim.process.sky130 import Sky130

PACKAGES = ("libngspice0", "ngspice")
RELEASE = "bookworm"
BACKPORTS = "bookworm-backports"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
COMMAND_TIMEOUT_SECOND = 300.0

# The circuits here are small: more OpenMP threads make them slower.
# SPICE_LIB_DIR is set by whoever loads ngspice, so the tree may be moved.
SPINIT = """\
* ngspice's start-up file, written by cosim.engine.install
alias exit quit
alias acct rusage all
set num_threads=1
"""
CODE_MODEL = "codemodel $SPICE_LIB_DIR/../../lib/{architecture}/ngspice/{name}\n"

WRAPPER = """\
#!/bin/sh
# This project's ngspice with its own start-up file, code models and libraries.
root=$(dirname "$(readlink -f "$0")")/../root
libraries=$root/usr/lib/{architecture}:$root/lib/{architecture}
export LD_LIBRARY_PATH="$libraries${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
export SPICE_LIB_DIR="$root/usr/share/ngspice"
exec "$root/usr/bin/ngspice" "$@"
"""


def install() -> NgspiceLibrary:
    """Make libngspice and the process models available to this project.

    Returns:
        The library that `find_library` finds from now on.

    Raises:
        ConfigurationError: ngspice cannot read models from where the project is.
        LibraryNotFoundError: there is none, and none could be installed.
    """
    folder = project_folder() / PROJECT_FOLDER_NAME
    if " " in str(folder):
        raise ConfigurationError(
            f"The project is in '{folder.parent}', and ngspice reads no model library from a path "
            "with a space (its `.lib` ends there, quoted or not). Move the project."
        )
    folder.mkdir(parents=True, exist_ok=True)
    _link_process_models(folder)
    if ENVIRONMENT_VARIABLE in os.environ:
        _say(f"{ENVIRONMENT_VARIABLE} is set: nothing to install")
    elif (folder / "root").is_dir():
        _say(f"{folder / 'root'} is there already")
    else:
        _install_somehow(folder)
    library = find_library()
    _say(f"using {library.library_path} (ngspice {_checked(library).version})")
    return library


def _install_somehow(folder: Path) -> None:
    ways: list[Callable[[], None]] = [
        *(partial(_unpack_from_backports, mirror, folder) for mirror in _mirrors()),
        _take_the_systems,
        _install_with_apt,
    ]
    failures = []
    for way in ways:
        try:
            way()
        except EngineError as error:
            _say(f"that failed: {error}")
            failures.append(str(error))
        else:
            return
    raise LibraryNotFoundError(
        f"libngspice could not be installed: {'; '.join(failures)}. Install it by hand: "
        f"{INSTALL_BY_HAND}"
    )


def _take_the_systems() -> None:
    _say("looking for the system's libngspice")
    library = find_system_library()
    if library is None:
        raise EngineError("the system's loader knows no libngspice")
    _checked(library)


def _install_with_apt() -> None:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise EngineError("to install it for the whole system takes apt-get and root")
    _say(f"installing {' and '.join(PACKAGES)} from the distribution with apt-get")
    _run(["apt-get", "--quiet=2", "update"])
    _run(["apt-get", "--quiet=2", "install", "--yes", "--no-install-recommends", *PACKAGES])


def _unpack_from_backports(mirror: str, folder: Path) -> None:
    """Unpack ngspice and what the machine lacks for it into `folder/root`, whole or not at all."""
    _say(f"unpacking ngspice from {BACKPORTS} ({mirror}) into {folder / 'root'}")
    with tempfile.TemporaryDirectory(dir=folder, prefix="unpacking-") as name:
        work = Path(name)
        apt = _private_apt(work, mirror)
        _run([*apt, "update"])
        wanted = [f"{package}/{BACKPORTS}" for package in PACKAGES]
        plan = _run([*apt, "install", "--simulate", "--no-install-recommends", *wanted])
        lacking = set(re.findall(r"^Inst (\S+)", plan, re.MULTILINE)) - set(PACKAGES)
        archives = work / "archives"
        archives.mkdir()
        _run([*apt, "download", *wanted, *sorted(lacking)], folder=archives)
        root = work / "root"
        for archive in sorted(archives.glob("*.deb")):
            _run(["dpkg", "--extract", str(archive), str(root)])
        library = _configured_library(root)
        if not _checked(library).xspice:
            raise EngineError(f"the code models of {BACKPORTS} cannot be loaded")
        _write_wrapper(folder / "bin/ngspice", architecture=library.library_path.parent.name)
        root.rename(folder / "root")


def _configured_library(root: Path) -> NgspiceLibrary:
    """The library in an unpacked tree, with a start-up file that finds the tree's code models."""
    found = list(root.glob("usr/lib/*/libngspice.so.0"))
    if len(found) != 1:
        raise EngineError(f"the packages hold {len(found)} libngspice.so.0, not one")
    code_models = sorted(found[0].parent.glob("ngspice/*.cm"))
    scripts = root / "usr/share/ngspice/scripts"
    (scripts / "spinit").write_text(
        SPINIT
        + "".join(
            CODE_MODEL.format(architecture=found[0].parent.name, name=code_model.name)
            for code_model in code_models
        )
    )
    return NgspiceLibrary(found[0], scripts, None, origin="project")


def _write_wrapper(path: Path, architecture: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(WRAPPER.format(architecture=architecture))
    path.chmod(0o755)


def _private_apt(work: Path, mirror: str) -> list[str]:
    """An apt-get command whose sources, lists and archives lie in `work`."""
    (work / "lists/partial").mkdir(parents=True)
    (work / "cache/archives/partial").mkdir(parents=True)
    sources = work / "sources.list"
    sources.write_text(
        "".join(
            f"deb [signed-by={KEYRING}] {mirror} {suite} main\n" for suite in (RELEASE, BACKPORTS)
        )
    )
    options = {
        "Dir::Etc::SourceList": str(sources),
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": str(work / "lists"),
        "Dir::Cache": str(work / "cache"),
        "Acquire::Languages": "none",
        "Acquire::http::Timeout": "20",
        "APT::Get::List-Cleanup": "false",
        "APT::Sandbox::User": "root",  # the usual `_apt` cannot write here
        "APT::Update::Error-Mode": "any",  # a suite that did not come is a failure
        "Debug::NoLocking": "true",  # nothing shared is written
    }
    settings = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    return ["apt-get", "--quiet=2", *settings]


def _mirrors() -> list[str]:
    """Where to take Debian's backports from: the mirrors that the machine's apt sources name."""
    if _debian_codename() != RELEASE:
        _say(f"nothing to unpack: this is not Debian {RELEASE}")
        return []
    try:
        plan = _run(["apt-get", "update", "--print-uris"])
    except EngineError as error:
        _say(f"the machine's apt sources cannot be read: {error}")
        return []
    named = re.findall(rf"^'(\S+?)/*/dists/{RELEASE}/", plan, re.MULTILINE)
    return list(dict.fromkeys(named))


def _link_process_models(folder: Path) -> None:
    for process in (GF180MCU, Sky130):
        models = process.installed_folder()
        if models is None:
            _say(f"no models of {process.NAME}: `{process.INSTALL}` installs them")
            continue
        link = folder / process.NAME
        if link.is_symlink() and link.readlink() == models:
            continue
        fresh = folder / f"{process.NAME}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(models)
        fresh.replace(link)
        _say(f"{link} leads to {models}")


def _checked(library: NgspiceLibrary) -> NgspiceCapabilities:
    capabilities = probe(library)
    if capabilities.version < MINIMUM_VERSION:
        raise EngineError(
            f"{library.library_path} is ngspice {capabilities.version}, and {MINIMUM_VERSION} or "
            "later is needed"
        )
    return capabilities


def _debian_codename() -> str | None:
    if sys.platform != "linux":
        return None
    release = platform.freedesktop_os_release()
    return release.get("VERSION_CODENAME") if release["ID"] == "debian" else None


def _run(command: list[str], folder: Path | None = None) -> str:
    """Run a command and return what it prints.

    Raises:
        EngineError: it failed, or took too long.
    """
    try:
        outcome = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_SECOND,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"`{command[0]}` did not run: {error}") from error
    if outcome.returncode != 0:
        last_lines = " | ".join(outcome.stderr.strip().splitlines()[-3:])
        raise EngineError(f"`{command[0]}` failed: {last_lines}")
    return outcome.stdout


def _say(text: str) -> None:
    print(f"cosim: {text}", flush=True)


def main() -> int:
    """Install, and return the exit status."""
    try:
        install()
    except CosimError as error:
        print(f"cosim: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
