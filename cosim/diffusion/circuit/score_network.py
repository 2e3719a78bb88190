"""Score network as a circuit: layers of crossbar, transimpedance and ReLU.

Layer: v_k = volt_per_unit * (sum_j w_kj u_j + b_k + e_k), ReLU after the hidden layers. Weights
and biases are differential conductance pairs; the bias row is driven with one unit; embedding
channel k enters column k of both hidden layers through one conductance of unit weight.
The output node carries the raw output, before the network's output gain.
Source: fact sheet, section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PySpice.Spice.Netlist import SubCircuit

from cosim.circuits.cell_1t1r import Cell1T1R
from cosim.circuits.crossbar import Cell, Crossbar, ProgrammedConductance, column_nodes
from cosim.circuits.dac import (
    Converters,
    IdealTimeEmbedding,
    embedding_nodes,
    embedding_volts,
)
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.offset import NO_OFFSETS, InputOffsets
from cosim.circuits.opamp import BiasedOpAmp, OpAmpBias, op_amp, output_units
from cosim.circuits.relu import BiasedRelu, IdealRelu, ReluBias, ReluSpec, relu
from cosim.circuits.row_driver import IdealRowDriver, OpAmpRowDriver
from cosim.circuits.rram import ReadOnlyCell
from cosim.circuits.transimpedance import (
    COLUMN_OP_AMP,
    FIRST_SWING_VOLT,
    IdealTransimpedance,
    OpAmpTransimpedance,
    column_spec,
    first_resistance,
    stage_units,
)
from cosim.diffusion.circuit.mapping import MappedLayer, MappedNetwork
from cosim.diffusion.fidelities import BlockFidelities
from cosim.diffusion.scaling import Scaling
from cosim.errors import NetlistError
from cosim.netlist.netlist import comment, quantity
from cosim.process.process import Process

DRIVER_UNITS = output_units(COLUMN_OP_AMP)
ACTIVATION_VOLT = 0.3
"""Usual drive of an array row, three units: sets the swing of a column's first op-amp."""


@dataclass(frozen=True)
class ScoreBlocks:
    """What a score network is made of.

    Attributes:
        column_op_amp: of the transimpedance stages and row drivers, by the units of its output;
            None for ideal stages.
        converters: hold the time embedding; None for continuous waveforms.
        column_bias, relu_bias: that all op-amps of transistors share, those of columns and row
            drivers, and those of ReLUs.
        offsets: of the op-amps of row drivers, columns and ReLUs; ideal blocks have none.
    """

    driver: SubCircuit
    relu: SubCircuit
    cell: Cell
    column_op_amp: Callable[[int], SubCircuit] | None
    converters: Converters | None = None
    column_bias: SubCircuit | None = None
    relu_bias: SubCircuit | None = None
    offsets: InputOffsets = NO_OFFSETS

    def column_op_amps(self, layer: MappedLayer) -> list[SubCircuit]:
        """The first and the second of a layer's transimpedance stages; none if they are ideal."""
        if self.column_op_amp is None:
            return []
        units = stage_units(1.0 / layer.siemens_per_weight, first_ohm(layer), usual_line(layer))
        return [self.column_op_amp(number) for number in units]

    def stage(self, name: str, layer: MappedLayer) -> SubCircuit:
        """The transimpedance stage of a layer's columns."""
        transimpedance = 1.0 / layer.siemens_per_weight
        if self.column_op_amp is None:
            return IdealTransimpedance(name, transimpedance)
        first, second = self.column_op_amps(layer)
        return OpAmpTransimpedance(
            name, transimpedance, first_ohm(layer), (first, second), self.offsets,
            0.0 if self.column_bias is None else usual_line(layer),
        )  # fmt: skip


def usual_line(layer: MappedLayer) -> float:
    """Siemens of the cells of a line, in the mean of a layer's."""
    lines = np.concatenate([layer.plus_siemens, layer.minus_siemens], axis=1)
    return float(lines.sum(axis=0).mean())


def first_ohm(layer: MappedLayer) -> float:
    """R_first of the layer's transimpedance stages."""
    line = float(layer.plus_siemens.sum(axis=0).max())
    transimpedance = 1.0 / layer.siemens_per_weight
    return first_resistance(transimpedance, line, ACTIVATION_VOLT, FIRST_SWING_VOLT)


def score_blocks(
    fidelity: BlockFidelities,
    supply_volt: float,
    process: Process | None,
    converters: Converters | None = None,
    offsets: InputOffsets = NO_OFFSETS,
) -> ScoreBlocks:
    """The blocks at their fidelities."""
    column, column_bias = _column_op_amp(fidelity.transimpedance, supply_volt, process)
    rectifier, relu_bias = _relu(fidelity.relu, supply_volt, process)
    return ScoreBlocks(
        driver=IdealRowDriver() if column is None else OpAmpRowDriver(column(DRIVER_UNITS)),
        relu=rectifier,
        cell=Cell1T1R(ReadOnlyCell("programmed"), process.ACCESS)
        if process is not None and fidelity.cell.needs_process
        else ProgrammedConductance(),
        column_op_amp=column,
        converters=converters,
        column_bias=column_bias,
        relu_bias=relu_bias,
        offsets=offsets,
    )


def _column_op_amp(
    fidelity: Fidelity, supply_volt: float, process: Process | None
) -> tuple[Callable[[int], SubCircuit] | None, SubCircuit | None]:
    """Of columns and row drivers by the units of its output, and the bias that all share. Macro
    models are all of one, a row driver's.
    """
    spec, name = replace(COLUMN_OP_AMP, supply_volt=supply_volt), "op_amp_column"
    if fidelity is Fidelity.IDEAL:
        return None, None
    if fidelity is not Fidelity.TRANSISTOR:
        model = op_amp(fidelity, spec, process, name)
        return lambda units: model, None
    assert process is not None
    return (
        lambda units: BiasedOpAmp(f"{name}_{units}", column_spec(units, supply_volt), process),
        OpAmpBias("bias_column", spec, process),
    )


def _relu(
    fidelity: Fidelity, supply_volt: float, process: Process | None
) -> tuple[SubCircuit, SubCircuit | None]:
    """The ReLU, and the bias that all share."""
    spec = ReluSpec.of_supply(supply_volt)
    if fidelity is not Fidelity.TRANSISTOR:
        return relu(fidelity, spec, process), None
    assert process is not None
    return BiasedRelu("relu_clamped", spec, process), ReluBias("bias_relu", spec, process)


class ScoreNetworkCircuit(SubCircuit):
    """Nodes: state_0..., raw_0..., analog_ground, vdd, vss, and word_line for 1T1R cells.

    Inside, hidden_l_k is the sum and activation_l_k the ReLU's output of unit k of layer l.

    Args:
        hidden_alone: leave the last layer out; the last activations are nodes instead of raw.

    Raises:
        NetlistError: the embedding has not one channel for each hidden column.
    """

    def __init__(
        self,
        name: str,
        network: MappedNetwork,
        scaling: Scaling,
        blocks: ScoreBlocks,
        hidden_alone: bool = False,
    ) -> None:
        layers = network.layers
        states = layers[0].inputs
        self.outputs = (
            [f"activation_{len(layers) - 2}_{unit}" for unit in range(layers[-1].inputs)]
            if hidden_alone
            else [f"raw_{index}" for index in range(layers[-1].outputs)]
        )
        channels = 2 * len(network.frequencies)
        for index, layer in enumerate(layers[:-1]):
            if layer.outputs != channels:
                raise NetlistError(
                    f"Score network '{name}': hidden layer {index} has {layer.outputs} columns, "
                    f"but the time embedding has {channels} channels. They must be equal."
                )
        self.has_word_line = "word_line" in blocks.cell.NODES
        super().__init__(
            name,
            *(f"state_{index}" for index in range(states)),
            *self.outputs,
            *("analog_ground", "vdd", "vss"),
            *(["word_line"] if self.has_word_line else []),
        )
        if blocks.column_op_amp is not None:
            self.subcircuit(blocks.column_op_amp(DRIVER_UNITS))
        for block in (blocks.driver, blocks.relu):
            self.subcircuit(block)
        supplies = ("analog_ground", "vdd", "vss")
        of_column = (*supplies, *self._add_bias(blocks.column_bias))
        of_relu = (*supplies, *self._add_bias(blocks.relu_bias))
        embedding = _time_embedding(network, scaling, blocks.converters)
        self.subcircuit(embedding)
        embedded = embedding_nodes(len(network.frequencies))
        self.X("embedding", embedding.name, *embedded, *supplies)
        self.V("bias", "bias", "analog_ground", scaling.volt_per_unit)
        rows = []
        for index in range(states):
            state = f"state_{index}"
            if blocks.column_op_amp is not None:
                state = blocks.offsets.shifted(self, f"driver_{index}", state)
            self.X(f"driver_{index}", blocks.driver.name, state, f"row_{index}", *of_column)
            rows.append(f"row_{index}")
        for number, layer in enumerate(layers[:-1] if hidden_alone else layers):
            last = number == len(layers) - 1
            stages = self._add_stages(number, layer, blocks)
            lines = self._add_crossbar(number, layer, blocks.cell, rows)
            rows = []
            for column in range(layer.outputs):
                plus, minus = lines[2 * column], lines[2 * column + 1]
                out = f"raw_{column}" if last else f"hidden_{number}_{column}"
                if layer.trims_unit:
                    trim, unit = f"trim_{number}_{column}", layer.trims_unit[column]
                    self.V(trim, trim, "analog_ground", scaling.volt_per_unit * unit)
                    self.R(trim, trim, plus, 1.0 / layer.siemens_per_weight)
                self.X(
                    f"transimpedance_{number}_{column}",
                    stages[column],
                    *(plus, minus, out),
                    *of_column,
                )
                if not last:
                    self.R(
                        f"embedding_{number}_{column}",
                        embedded[column],
                        plus,
                        1.0 / layer.siemens_per_weight,
                    )
                    activation, name = f"activation_{number}_{column}", f"relu_{number}_{column}"
                    if not isinstance(blocks.relu, IdealRelu):
                        out = blocks.offsets.shifted(self, name, out)
                    self.X(name, blocks.relu.name, out, activation, *of_relu)
                    rows.append(activation)

    def _add_bias(self, bias: SubCircuit | None) -> list[str]:
        """Add a bias that blocks share; returns its lines."""
        if bias is None:
            return []
        self.subcircuit(bias)
        *lines, vdd, vss = map(str, bias.external_nodes)
        nodes = [f"{bias.name}_{line}" for line in lines]
        self.X(bias.name, bias.name, *nodes, vdd, vss)
        return nodes

    def _add_stages(self, number: int, layer: MappedLayer, blocks: ScoreBlocks) -> list[str]:
        """Add the transimpedance stage of a layer's columns, or one for each column where their
        op-amps have offsets; returns its name for each column.
        """
        name = f"transimpedance_{number}"
        if blocks.column_op_amp is None or not blocks.offsets.deviation_volt:
            stages = [blocks.stage(name, layer)]
        else:
            places = (f"{name}_{column}_of_{self.name}" for column in range(layer.outputs))
            stages = [blocks.stage(place, layer) for place in places]
        for block in (*blocks.column_op_amps(layer), *stages):
            self.subcircuit(block)
        names = [str(stage.name) for stage in stages]
        return names * (layer.outputs // len(names))

    def _add_crossbar(
        self, number: int, layer: MappedLayer, cell: Cell, rows: list[str]
    ) -> list[str]:
        """Add a layer's array, driven by `rows` and the bias; returns its source lines."""
        crossbar = Crossbar(f"crossbar_{number}", layer.plus_siemens, layer.minus_siemens, cell)
        comment(
            crossbar,
            f"weight 1 is {quantity(layer.siemens_per_weight, 'S')}; the last row is the bias",
        )
        self.subcircuit(crossbar)
        lines = [f"{node}_of_{number}" for node in column_nodes(layer.outputs)]
        words = ["word_line"] * (len(rows) + 1) if self.has_word_line else []
        self.X(crossbar.name, crossbar.name, *rows, "bias", *words, *lines)
        return lines


def _time_embedding(
    network: MappedNetwork, scaling: Scaling, converters: Converters | None
) -> SubCircuit:
    name, frequencies, offsets = "time_embedding", network.frequencies, network.offsets
    if converters is None:
        return IdealTimeEmbedding(name, frequencies, offsets, scaling)
    volts = embedding_volts(frequencies, offsets, scaling, converters.updates)
    return converters.hold(name, volts, scaling)
