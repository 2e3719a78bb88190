"""What drives the score nodes of the solver: the network in the netlist, or a recording."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PySpice.Spice.Netlist import Circuit

from cosim.circuits.cell_1t1r import WORD_SUPPLY_VOLT
from cosim.diffusion.circuit.mapping import MappedNetwork
from cosim.diffusion.circuit.nodes import (
    activation_node,
    score_node,
    state_node,
)
from cosim.diffusion.circuit.score_network import ScoreBlocks, ScoreNetworkCircuit
from cosim.diffusion.scaling import Scaling
from cosim.netlist.netlist import Signal
from cosim.netlist.waveform import piecewise_linear


class ScoreSource(Protocol):
    """What drives the nodes score_i (raw score) from the nodes x_i."""

    def add_to(self, circuit: Circuit) -> None:
        """Add its elements to the circuit."""


@dataclass(frozen=True)
class AnalogScore:
    """The whole score network in the netlist; with guidance, two of them.

    Attributes:
        last: drives the score nodes from the last activations; None for layers in the netlist.
    """

    networks: tuple[MappedNetwork, ...]
    scaling: Scaling
    blocks: ScoreBlocks
    last: ScoreSource | None = None

    def add_to(self, circuit: Circuit) -> None:
        """Add the networks, and the supply of their word lines."""
        for part, network in enumerate(self.networks):
            name = f"{score_node('network', part)}"
            block = ScoreNetworkCircuit(
                name, network, self.scaling, self.blocks, self.last is not None
            )
            circuit.subcircuit(block)
            if block.has_word_line and part == 0:
                circuit.V("word_line", "word_line", circuit.gnd, WORD_SUPPLY_VOLT)
            circuit.X(
                name,
                name,
                *(state_node(index) for index in range(network.layers[0].inputs)),
                *(self._output_node(index, part) for index in range(len(block.outputs))),
                *("analog_ground", "vdd", circuit.gnd),
                *(["word_line"] if block.has_word_line else []),
            )
        if self.last is not None:
            self.last.add_to(circuit)

    def _output_node(self, index: int, part: int) -> str:
        return score_node(index, part) if self.last is None else activation_node(index)

    @property
    def signals(self) -> list[Signal]:
        """The hidden nodes: each unit's sum and its activation (of the first network)."""
        return [
            Signal(
                f"{kind}_{layer}.{unit}",
                self._vector(kind, layer, unit),
                "V",
                f"{what} of unit {unit + 1}, hidden layer {layer + 1}",
            )
            for layer, mapped in enumerate(self.networks[0].layers[:-1])
            for kind, what in (("hidden", "sum"), ("activation", "ReLU's output"))
            for unit in range(mapped.outputs)
        ]

    def _vector(self, kind: str, layer: int, unit: int) -> str:
        last_hidden = layer == len(self.networks[0].layers) - 2
        if self.last is not None and kind == "activation" and last_hidden:
            return activation_node(unit)
        return f"xscore_network.{kind}_{layer}_{unit}"


@dataclass(frozen=True)
class PlaybackScore:
    """Recorded score voltages played back: time [n] in s, volts [n, states] against ground."""

    time_second: np.ndarray
    volts: np.ndarray

    def add_to(self, circuit: Circuit) -> None:
        """Add one PWL source for each score node."""
        for index in range(self.volts.shape[1]):
            piecewise_linear(
                circuit, score_node(index), circuit.gnd, self.time_second, self.volts[:, index]
            )
