"""Plug-ins: what others add to cosim, by an entry point of their package or by a Python file.

An entry point in the group of a kind, such as `cosim.processes`, makes a thing known by its name
wherever a built-in one is. A file, `--process my.py`, defines it in a variable named after the
kind (`process = MyProcess`). A file is code that runs when it is loaded: only the user may name
one, never data such as a trace (see `named_by_data`).
"""

import importlib.util
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from cosim.errors import ConfigurationError, did_you_mean

Thing = TypeVar("Thing")


class PluginWarning(UserWarning):
    """A plug-in that cannot be used, where all of its kind were asked for."""


@dataclass(frozen=True)
class Plugin:
    """An entry point that is installed.

    Attributes:
        kind: of `Registry`.
        name: by which it is asked for.
        value: "module:object".
        origin: the distribution that it comes from, with its version.
        file: of the module; empty if it was not found.
        fault: why it cannot be used; empty if it can.
    """

    kind: str
    name: str
    value: str
    origin: str
    file: str
    fault: str = ""


@dataclass(frozen=True)
class Registry(Generic[Thing]):
    """The things of a kind by their names: built-in ones, then those of entry points.

    Attributes:
        kind: in words, such as "process"; with "_" for "-" the variable's name in a file.
        group: of entry points.
        accept: returns what it is given as a thing of the kind. Raises TypeError with the reason
            where it is none.
        built_in: by name; a text is "module:object", imported when it is asked for.
    """

    kind: str
    group: str
    accept: Callable[[Any], Thing]
    built_in: Mapping[str, Thing] | Mapping[str, str]
    _loaded: dict[str, Thing] = field(default_factory=dict, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all there are, also of those that turn out not to load."""
        return tuple(dict.fromkeys([*self.built_in, *(entry.name for entry in self._entries())]))

    @property
    def variable(self) -> str:
        """That a file sets."""
        return self.kind.replace("-", "_")

    def find(self, name: str) -> Thing:
        """The thing of that name, or that the Python file of that name defines.

        Raises:
            ConfigurationError: there is none, two have the name, or it cannot be loaded.
        """
        if is_file(name):
            return self._of_file(Path(name))
        entries = [entry for entry in self._entries() if entry.name == name]
        own = self.built_in.get(name)
        if own is None and not entries:
            hint = did_you_mean(name, self.names)
            raise ConfigurationError(
                f"There is no {self.kind} '{name}'.{hint} Choose one of "
                f"{', '.join(sorted(self.names))}; or name a Python file (my.py) that sets "
                f"`{self.variable}`."
            )
        origins = ["cosim itself"] * (own is not None) + [_origin(entry) for entry in entries]
        if len(origins) > 1:
            raise ConfigurationError(
                f"There are {len(origins)} of the {self.kind} '{name}', from "
                f"{' and from '.join(origins)}. Remove one of these packages."
            )
        if entries:
            return self._of_entry(entries[0])
        if isinstance(own, str):
            return self._of_entry(EntryPoint(name, own, self.group))
        assert own is not None
        return own

    def all(self) -> dict[str, Thing]:
        """All that can be loaded; a `PluginWarning` names each that cannot."""
        found = {}
        for name in self.names:
            try:
                found[name] = self.find(name)
            except ConfigurationError as error:
                warnings.warn(str(error), PluginWarning, stacklevel=2)
        return found

    def installed(self) -> list[Plugin]:
        """The plug-ins of this kind; to find their faults, each is loaded."""
        found = []
        for entry in self._entries():
            fault = ""
            try:
                self.find(entry.name)
            except ConfigurationError as error:
                fault = str(error)
            file = getattr(sys.modules.get(entry.module), "__file__", None) or ""
            found.append(Plugin(self.kind, entry.name, entry.value, _origin(entry), file, fault))
        return found

    def defined_in(self, path: Path) -> bool:
        """Whether a Python file, which runs, defines one.

        Raises:
            ConfigurationError: it cannot be run.
        """
        return hasattr(self._module(path), self.variable)

    def _entries(self) -> tuple[EntryPoint, ...]:
        return _installed(self.group, tuple(sys.path))

    def _of_entry(self, entry: EntryPoint) -> Thing:
        key = f"{entry.name} = {entry.value}"
        if key not in self._loaded:
            try:
                self._loaded[key] = self.accept(entry.load())
            except Exception as error:
                raise ConfigurationError(
                    f"The {self.kind} '{entry.name}' ({entry.value}) from {_origin(entry)} cannot "
                    f"be loaded: {type(error).__name__}: {error}. Mend, update or remove that "
                    "package."
                ) from error
        return self._loaded[key]

    def _of_file(self, path: Path) -> Thing:
        module = self._module(path)
        try:
            return self.accept(getattr(module, self.variable))
        except Exception as error:
            raise self._fault(path, error) from error

    def _module(self, path: Path) -> ModuleType:
        if not path.is_file():
            raise ConfigurationError(
                f"There is no {self.kind} file {path}. Give the path of a Python file that sets "
                f"`{self.variable}`."
            )
        try:
            return load_file(path)
        except Exception as error:
            raise self._fault(path, error) from error

    def _fault(self, path: Path, error: Exception) -> ConfigurationError:
        return ConfigurationError(
            f"The file {path} does not define a {self.kind}: {type(error).__name__}: {error}. It "
            f"must set `{self.variable}`; the manual's page on an own {self.kind} shows one."
        )


def is_file(name: str) -> bool:
    """Whether a name means a Python file."""
    return name.endswith(".py")


def absolute(name: str) -> str:
    """The name as another process finds it: of a file, its whole path."""
    return str(Path(name).resolve()) if is_file(name) else name


def named_by_data(name: str, where: str, folder: Path | None = None) -> str:
    """A name that a file of data gives, checked: naming code, data must not choose any to run.

    Args:
        where: the data, for the message.
        folder: in which files of code may lie, by a path relative to it; None for nowhere.

    Returns:
        The name; of a file, its whole path.

    Raises:
        ConfigurationError: a file of code elsewhere.
    """
    if not is_file(name):
        return name
    if folder is None:
        raise ConfigurationError(
            f"{where} names the Python file {name}, which would run to be loaded. Code that data "
            "names is not run: name the file on the command line."
        )
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ConfigurationError(
            f"{where} names the Python file {name}, which would run to be loaded, and lies outside "
            f"of {folder.resolve()}. Move it there, or name it on the command line."
        )
    return str(path)


def subclass_of(base: type) -> Callable[[Any], Any]:
    """An `accept` for subclasses of a base that define and set all that it asks for."""

    def accept(found: Any) -> Any:
        if not (isinstance(found, type) and issubclass(found, base)):
            raise TypeError(f"{found!r} is no subclass of {base.__module__}.{base.__name__}")
        if missing := sorted(getattr(found, "__abstractmethods__", ())):
            raise TypeError(f"{found.__name__} does not define {', '.join(missing)}")
        wanted = [
            name
            for parent in found.__mro__
            for name in vars(parent).get("__annotations__", {})
            if name.isupper() and not hasattr(found, name)
        ]
        if wanted:
            raise TypeError(f"{found.__name__} does not set {', '.join(wanted)}")
        return found

    return accept


def load_file(path: Path) -> ModuleType:
    """The module of a Python file, run once for each content of it.

    Raises:
        Exception: whatever it raises.
    """
    path = path.resolve()
    content = sha256(path.read_bytes()).hexdigest()
    # A name of its own: two files may be called alike, and a changed one is another.
    name = f"cosim_file_{sha256(f'{path} {content}'.encode()).hexdigest()[:16]}"
    if name not in sys.modules:
        import cloudpickle

        specification = importlib.util.spec_from_file_location(name, path)
        assert specification is not None and specification.loader is not None  # it ends in .py
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module  # dataclasses look their own module up
        # Other processes cannot import it: what it defines goes to them whole.
        cloudpickle.register_pickle_by_value(module)
        try:
            specification.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


@lru_cache
def _installed(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Those of the packages on the import path: to read them takes a while."""
    return tuple(entry_points(group=group))


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "cosim itself"
