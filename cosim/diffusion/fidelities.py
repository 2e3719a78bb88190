"""How much physics each kind of block of the solver has in its netlist."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from cosim.circuits.fidelity import Fidelity


class BlockFidelities(BaseModel):
    """Fidelity of each kind of block; `all` stands for those that are not named, but for `dac`:
    converters of transistors take twenty times as long as all the rest.

    Attributes:
        opamp: of the integrators.
        switch: of the integrators; has no macro form of its own (the ideal one is taken).
        transimpedance: stages of the array columns, and the drivers of the first array's rows.
        cell: of the arrays; with `transistor` 1T1R, else programmed conductances.
        reference: of the analog ground.
        dac: of the waveforms over time (embedding, beta, held noise); with `ideal` these are exact
            and continuous.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    opamp: Fidelity = Fidelity.TRANSISTOR
    switch: Fidelity = Fidelity.IDEAL
    multiplier: Fidelity = Fidelity.IDEAL
    transimpedance: Fidelity = Fidelity.IDEAL
    relu: Fidelity = Fidelity.IDEAL
    cell: Fidelity = Fidelity.IDEAL
    reference: Fidelity = Fidelity.IDEAL
    dac: Fidelity = Fidelity.IDEAL

    @model_validator(mode="before")
    @classmethod
    def _all(cls, values: Any) -> Any:
        if isinstance(values, dict) and "all" in values:
            rest = {key: value for key, value in values.items() if key != "all"}
            return dict.fromkeys(cls.model_fields.keys() - {"dac"}, values["all"]) | rest
        return values

    @property
    def needs_process(self) -> bool:
        """Whether any block holds transistor models."""
        return any(fidelity.needs_process for _, fidelity in self)

    @property
    def summary(self) -> str:
        """Such as `opamp transistor, others ideal`."""
        levels = {name: str(level) for name, level in self}
        if len(set(levels.values())) == 1:
            return f"all blocks {levels['opamp']}"
        common = max(set(levels.values()), key=list(levels.values()).count)
        named = ", ".join(f"{name} {level}" for name, level in levels.items() if level != common)
        return f"{named}, others {common}"
