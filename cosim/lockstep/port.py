"""Lockstep port: the netlist side of a block whose outputs are computed outside ngspice.

An output node carries u(t) (one external source each) or, for a scheme that is implicit,
u = c(t) + sum_j J_j V(input_j) (external sources c and J, and a B-source, by which Newton's method
solves for the inputs, too).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PySpice.Spice.Netlist import Circuit


@dataclass(frozen=True)
class LockstepPort:
    """Sources that drive `outputs` (nodes) from a function of the voltages of `inputs` (nodes).

    Attributes:
        implicit: whether the netlist holds the function's Jacobian.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    implicit: bool

    @property
    def external_sources(self) -> tuple[str, ...]:
        """Names of the external sources as ngspice reports them, lower case.

        Order: one for each output; if it is implicit, then the Jacobian, row by row.
        """
        return tuple(f"v{node}".lower() for node in (*self._offset_nodes, *self._jacobian_nodes))

    @property
    def _offset_nodes(self) -> Sequence[str]:
        if self.implicit:
            return [f"offset_{output}" for output in self.outputs]
        return self.outputs

    @property
    def _jacobian_nodes(self) -> Sequence[str]:
        if not self.implicit:
            return []
        return [
            self._jacobian_node(row, column)
            for row in range(len(self.outputs))
            for column in range(len(self.inputs))
        ]

    def _jacobian_node(self, row: int, column: int) -> str:
        return f"jacobian_{self.outputs[row]}_{column}"

    def add_to(self, circuit: Circuit) -> None:
        """Add the port's sources to `circuit`.

        The value of an external source is the one word `external`: with a DC value before it
        ngspice 39 dies of a segmentation fault.
        """
        for node in (*self._offset_nodes, *self._jacobian_nodes):
            circuit.V(node, node, circuit.gnd, "external")
        if self.implicit:
            for row, output in enumerate(self.outputs):
                terms = [f"V(offset_{output})"] + [
                    f"V({self._jacobian_node(row, column)})*V({node})"
                    for column, node in enumerate(self.inputs)
                ]
                circuit.B(output, output, circuit.gnd, voltage_expression="+".join(terms))
