"""Weights to conductances: each signed weight is a differential pair of RRAM cells.

    w = (G_plus - G_minus) / siemens_per_weight,   the smaller one of the pair at g_min

so the largest weight or bias of a layer spans the whole conductance window, unless the largest
ones are clipped. Then come what programming does: levels, and write errors.
Source of the window and levels: fact sheet, 'What this project decides' (0.02 to 0.10 mS, 64);
of write errors: section 3 there (10 % of the value, at most 20 %).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cosim.errors import ConfigurationError


class ConductanceWindow(BaseModel):
    """What a cell can be programmed to, and how well.

    Attributes:
        clip_percentile: of a layer's absolute weights and biases; larger ones are clipped to it.
        levels: equally spaced conductances that a cell can have; None for any.
        write_error: standard deviation of a cell's relative error; errors beyond twice it are
            drawn again uniformly within it, as in training.
        write_seed: of these errors.
        read_noise: standard deviation of a cell's relative fluctuation, which is drawn anew at each
            of the run's `noise.updates`; of a score in torch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    g_min_siemens: float = Field(0.02e-3, gt=0)
    g_max_siemens: float = Field(0.10e-3, gt=0)
    clip_percentile: float = Field(100.0, gt=0, le=100)
    levels: int | None = Field(None, ge=2, le=65_536)
    write_error: float = Field(0.0, ge=0, lt=0.5)
    write_seed: int = Field(0, ge=0, lt=2**63)
    read_noise: float = Field(0.0, ge=0, lt=0.5)

    @model_validator(mode="after")
    def _ordered(self) -> "ConductanceWindow":
        if self.g_max_siemens <= self.g_min_siemens:
            raise ValueError("g_max_siemens must be larger than g_min_siemens")
        return self

    @property
    def floor_part(self) -> float:
        """Least conductance over the window's span: of the largest weight, what each cell has."""
        return self.g_min_siemens / (self.g_max_siemens - self.g_min_siemens)

    @property
    def exact(self) -> bool:
        """Whether the cells hold the weights as they are, but for rounding."""
        return self.levels is None and not self.write_error and self.clip_percentile == 100


@dataclass(frozen=True)
class MappedLayer:
    """Pairs of one layer [inputs + 1, outputs]; the last row is the bias row.

    Attributes:
        trims_unit: what converters add to each output; none where it is empty.
    """

    plus_siemens: np.ndarray
    minus_siemens: np.ndarray
    siemens_per_weight: float
    trims_unit: tuple[float, ...] = ()

    def read(
        self, noise: float = 0.0, generator: np.random.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weight [outputs, inputs] and bias [outputs] that the cells stand for, each cell off by a
        relative error of N(0, noise).
        """
        plus, minus = self.plus_siemens, self.minus_siemens
        if noise and generator is not None:
            plus = plus * (1 + noise * generator.standard_normal(plus.shape))
            minus = minus * (1 + noise * generator.standard_normal(minus.shape))
        rows = (plus - minus) / self.siemens_per_weight
        return rows[:-1].T, rows[-1] + (self.trims_unit or 0.0)

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
    """A score network as conductances.

    Attributes:
        frequencies: of the time embedding [n].
        offsets: the condition, in units [2 n].
        weight: in the score, above 0: how much its output counts.
    """

    layers: tuple[MappedLayer, ...]
    frequencies: np.ndarray
    offsets: np.ndarray
    weight: float = 1.0

    def trimmed(self, biases_unit: Sequence[tuple[float, ...]]) -> "MappedNetwork":
        """The same with what converters add to the columns of each layer; nothing where empty.

        Raises:
            ConfigurationError: they are not of these columns.
        """
        if not biases_unit:
            return self
        wanted = [layer.outputs for layer in self.layers]
        if (given := [len(biases) for biases in biases_unit]) != wanted:
            raise ConfigurationError(
                f"calibration.biases_unit has {given} values, but the score network's layers have "
                f"{wanted} columns. Give one for each column of each layer."
            )
        layers = zip(self.layers, biases_unit, strict=True)
        return replace(
            self, layers=tuple(replace(layer, trims_unit=biases) for layer, biases in layers)
        )


def frozen(network: MappedNetwork, t: float) -> MappedNetwork:
    """The same network with the time embedding that it has at one t, for all time."""
    angle = 2 * np.pi * network.frequencies * t
    now = np.concatenate([np.sin(angle), np.cos(angle)])
    still = np.concatenate([np.zeros_like(angle), np.ones_like(angle)])  # of frequencies 0
    offsets = network.offsets + now - still
    return replace(network, frequencies=np.zeros_like(network.frequencies), offsets=offsets)


def map_layer(
    weight: np.ndarray, bias: np.ndarray, window: ConductanceWindow, layer: int = 0
) -> MappedLayer:
    """Map one linear layer.

    Args:
        weight: [outputs, inputs].
        bias: [outputs].
        layer: its number, which its write errors are drawn with.
    """
    rows = np.vstack([weight.T, bias])
    largest = float(np.percentile(np.abs(rows), window.clip_percentile))
    span = window.g_max_siemens - window.g_min_siemens
    siemens_per_weight = span / largest if largest > 0 else span
    pair = siemens_per_weight * np.clip(rows, -largest, largest)
    generator = np.random.default_rng([window.write_seed, layer])
    plus, minus = (
        _written(window.g_min_siemens + np.maximum(side, 0), window, generator)
        for side in (pair, -pair)
    )
    return MappedLayer(plus, minus, float(siemens_per_weight))


def _written(
    siemens: np.ndarray, window: ConductanceWindow, generator: np.random.Generator
) -> np.ndarray:
    """What programming makes of wanted conductances."""
    if window.levels is not None:
        step = (window.g_max_siemens - window.g_min_siemens) / (window.levels - 1)
        steps = np.round((siemens - window.g_min_siemens) / step)
        siemens = window.g_min_siemens + step * steps
    if window.write_error:
        bound = 2 * window.write_error
        error = window.write_error * generator.standard_normal(siemens.shape)
        again = generator.uniform(-bound, bound, siemens.shape)
        siemens = siemens * (1 + np.where(np.abs(error) > bound, again, error))
    return siemens
