"""Where a trace comes from: enough to repeat the run."""

import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import h5py
from pydantic import BaseModel, ConfigDict

from cosim.trace.record import child_of, read_attributes, small_dataset
from cosim.trace.schema import text

_PACKAGES = ("cosim", "h5py", "numpy", "PySpice", "scipy", "torch")


class Host(BaseModel):
    """Facts of the machine that can change numbers or speed."""

    model_config = ConfigDict(frozen=True)

    machine: str
    operating_system: str
    cores: int

    @classmethod
    def here(cls) -> "Host":
        """This machine."""
        return cls(
            machine=platform.machine(),
            operating_system=platform.platform(),
            cores=os.cpu_count() or 1,
        )


class Provenance(BaseModel):
    """What determined a run.

    Attributes:
        configuration_toml: the run file, defaults included.
        netlist: the netlist text, as ngspice got it.
        seeds: each random generator's seed, below 2^63.
        software: versions by name, `python` and `ngspice` among them.
        model_sha256: SHA-256 of the score model's file; empty without one.
        host: the machine.
        started: ISO 8601 time with zone.
        command_line: what the user typed.
    """

    model_config = ConfigDict(frozen=True)

    configuration_toml: str
    netlist: str
    seeds: dict[str, int]
    software: dict[str, str]
    model_sha256: str
    host: Host
    started: str
    command_line: str

    @classmethod
    def collect(
        cls,
        *,
        configuration_toml: str,
        netlist: str,
        seeds: dict[str, int],
        ngspice_version: str,
        model_sha256: str = "",
    ) -> "Provenance":
        """The given facts with those that this process knows: software, host, time, command."""
        packages = {name: version(name) for name in _PACKAGES}
        return cls(
            configuration_toml=configuration_toml,
            netlist=netlist,
            seeds=seeds,
            software={
                "python": platform.python_version(),
                "HDF5": h5py.version.hdf5_version,
                "ngspice": ngspice_version,
                **packages,
            },
            model_sha256=model_sha256,
            host=Host.here(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            command_line=shlex.join(sys.argv),
        )

    def store(self, group: h5py.Group) -> None:
        """Write into an empty HDF5 group."""
        for name, value in self.model_dump(mode="json").items():
            if isinstance(value, dict):
                facts = group.create_group(name).attrs
                facts.update({k: text(v) if isinstance(v, str) else v for k, v in value.items()})
            else:
                group[name] = text(value)

    @classmethod
    def load(cls, group: h5py.Group) -> "Provenance":
        """Read what `store` wrote.

        Raises:
            OSError, KeyError, TypeError, ValueError: it is not what `store` wrote.
        """
        facts: dict[str, Any] = {}
        for name in cls.model_fields:
            child = child_of(group, name)
            if isinstance(child, h5py.Group):
                facts[name] = read_attributes(child)
            else:
                facts[name] = small_dataset(group, name)[()].decode()
        return cls.model_validate(facts)
