"""Weights to conductances: each signed weight is a differential pair of RRAM cells.

    w = (G_plus - G_minus) / siemens_per_weight,   the smaller one of the pair at g_min

so the largest weight or bias of a layer spans the whole conductance window.
Source of the window: fact sheet, 'What this project decides' (0.02 to 0.10 mS).
"""

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cosim.score.network import ScoreNetwork


class ConductanceWindow(BaseModel):
    """What a cell can be programmed to."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    g_min_siemens: float = Field(0.02e-3, gt=0)
    g_max_siemens: float = Field(0.10e-3, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> "ConductanceWindow":
        if self.g_max_siemens <= self.g_min_siemens:
            raise ValueError("g_max_siemens must be larger than g_min_siemens")
        return self


@dataclass(frozen=True)
class MappedLayer:
    """Pairs of one layer [inputs + 1, outputs]; the last row is the bias row."""

    plus_siemens: np.ndarray
    minus_siemens: np.ndarray
    siemens_per_weight: float

    @property
    def inputs(self) -> int:
        """Rows without the bias row."""
        return self.plus_siemens.shape[0] - 1

    @property
    def outputs(self) -> int:
        """Column pairs."""
        return self.plus_siemens.shape[1]


@dataclass(frozen=True)
class MappedNetwork:
    """A score network as conductances, with its embedding frequencies."""

    layers: tuple[MappedLayer, ...]
    frequencies: np.ndarray


def map_layer(weight: np.ndarray, bias: np.ndarray, window: ConductanceWindow) -> MappedLayer:
    """Map one linear layer.

    Args:
        weight: [outputs, inputs].
        bias: [outputs].
    """
    rows = np.vstack([weight.T, bias])
    largest = np.abs(rows).max()
    span = window.g_max_siemens - window.g_min_siemens
    siemens_per_weight = span / largest if largest > 0 else span
    pair = siemens_per_weight * rows
    return MappedLayer(
        plus_siemens=window.g_min_siemens + np.maximum(pair, 0),
        minus_siemens=window.g_min_siemens + np.maximum(-pair, 0),
        siemens_per_weight=float(siemens_per_weight),
    )


def map_network(network: ScoreNetwork, window: ConductanceWindow) -> MappedNetwork:
    """Map every layer of a score network."""
    return MappedNetwork(
        tuple(map_layer(weight, bias, window) for weight, bias in network.weights_and_biases()),
        network.frequencies.detach().double().numpy(),
    )
