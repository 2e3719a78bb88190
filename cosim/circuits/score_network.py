"""Score network as a circuit: layers of crossbar, transimpedance and ReLU.

Layer: v_k = volt_per_unit * (sum_j w_kj u_j + b_k + e_k), ReLU after the hidden layers. Weights
and biases are differential conductance pairs; the bias row is driven with one unit; embedding
channel k enters column k of both hidden layers through one conductance of unit weight.
The output node carries the raw output, before the network's output gain.
Source: fact sheet, section 3.
"""

from PySpice.Spice.Netlist import SubCircuit

from cosim.circuits.crossbar import IdealCrossbar, column_nodes
from cosim.circuits.dac import IdealTimeEmbedding
from cosim.circuits.relu import IdealRelu
from cosim.circuits.transimpedance import IdealTransimpedance
from cosim.errors import NetlistError
from cosim.scaling import Scaling
from cosim.score.mapping import MappedNetwork


class IdealScoreNetwork(SubCircuit):
    """Nodes: state_0..., raw_0..., analog_ground.

    Raises:
        NetlistError: the embedding has not one channel for each hidden column.
    """

    def __init__(self, name: str, network: MappedNetwork, scaling: Scaling) -> None:
        layers = network.layers
        states, outputs = layers[0].inputs, layers[-1].outputs
        channels = 2 * len(network.frequencies)
        for index, layer in enumerate(layers[:-1]):
            if layer.outputs != channels:
                raise NetlistError(
                    f"Score network '{name}': hidden layer {index} has {layer.outputs} columns, "
                    f"but the time embedding has {channels} channels. They must be equal."
                )
        super().__init__(
            name,
            *(f"state_{index}" for index in range(states)),
            *(f"raw_{index}" for index in range(outputs)),
            "analog_ground",
        )
        self.subcircuit(IdealRelu("relu"))
        embedding = IdealTimeEmbedding("time_embedding", network.frequencies, scaling)
        self.subcircuit(embedding)
        embedding_nodes = [f"embedding_{index}" for index in range(channels)]
        self.X("embedding", embedding.name, *embedding_nodes, "analog_ground")
        self.V("bias", "bias", "analog_ground", scaling.volt_per_unit)

        rows = []
        for index in range(states):
            # Ideal row drivers: an array row is a load of about 1 kohm.
            self.VCVS(
                f"row_{index}", f"row_{index}", "analog_ground", f"state_{index}", "analog_ground",
                voltage_gain=1,
            )  # fmt: skip
            rows.append(f"row_{index}")
        for number, layer in enumerate(layers):
            last = number == len(layers) - 1
            crossbar = IdealCrossbar(f"crossbar_{number}", layer.plus_siemens, layer.minus_siemens)
            stage = IdealTransimpedance(f"transimpedance_{number}", 1.0 / layer.siemens_per_weight)
            self.subcircuit(crossbar)
            self.subcircuit(stage)
            lines = [f"{node}_of_{number}" for node in column_nodes(layer.outputs)]
            self.X(f"crossbar_{number}", crossbar.name, *rows, "bias", *lines)
            rows = []
            for column in range(layer.outputs):
                plus, minus = lines[2 * column], lines[2 * column + 1]
                out = f"raw_{column}" if last else f"hidden_{number}_{column}"
                self.X(f"transimpedance_{number}_{column}", stage.name, plus, minus, out,
                       "analog_ground")  # fmt: skip
                if not last:
                    self.R(
                        f"embedding_{number}_{column}",
                        embedding_nodes[column],
                        plus,
                        1.0 / layer.siemens_per_weight,
                    )
                    activation = f"activation_{number}_{column}"
                    self.X(f"relu_{number}_{column}", "relu", out, activation, "analog_ground")
                    rows.append(activation)
