"""The one place where volts and seconds of the circuit meet x and t of the diffusion.

Circuit time runs through a precharge phase, then through one solve in which the bench time
tau = 1 - t goes from 0 to 1. A state or network value u is the node voltage
analog_ground + volt_per_unit * u. Working values: fact sheet, 'What this project decides'.
"""

from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

RISE_SECOND = 4e-6
RISING_PRECHARGE_SECOND = 8e-6
"""Rise of the initial conditions, where they do, and the precharge then: at the end of the rise the
integrators are within 0.2 % of what they rise to at all corners (0.01 % at the typical one), and
ngspice within 0.1 %. What lead capacitors bring onto the integrators while the score rises is 0.5
mV for a drift of one unit in a solve. Of all that 15 % are left at the end of the precharge.
"""

Quantity = TypeVar("Quantity", float, np.ndarray)


class Scaling(BaseModel):
    """Circuit quantities for one unit of the diffusion's quantities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    volt_per_unit: float = Field(0.1, gt=0)
    solve_second: float = Field(20e-6, gt=0, description="circuit time for one unit of tau")
    precharge_second: float = Field(0.5e-6, gt=0, description="initial conditions are set in it")
    supply_volt: float = Field(3.3, gt=0)

    @property
    def analog_ground_volt(self) -> float:
        """Mid-rail reference of every signal."""
        return self.supply_volt / 2

    @property
    def stop_second(self) -> float:
        """Circuit time at which tau = 1: the read-out."""
        return self.precharge_second + self.solve_second

    def node_volt(self, units: Quantity) -> Quantity:
        """Node voltage, against the circuit's ground, that stands for `units`."""
        return self.analog_ground_volt + self.volt_per_unit * units

    def units(self, node_volt: Quantity) -> Quantity:
        """The diffusion's value that a node voltage stands for."""
        return (node_volt - self.analog_ground_volt) / self.volt_per_unit

    def tau(self, time_second: Quantity) -> Quantity:
        """Bench time of a circuit time; 0 throughout the precharge."""
        return np.maximum(time_second - self.precharge_second, 0.0) / self.solve_second

    def time_second(self, tau: Quantity) -> Quantity:
        """Circuit time of a bench time in [0, 1]."""
        return self.precharge_second + self.solve_second * tau
