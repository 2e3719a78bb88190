"""Lockstep port: the netlist side of a block whose outputs are computed outside ngspice.

An output node carries u(t) (schemes `explicit` and `extrapolated`: one external source each) or
u = c(t) + sum_j J_j V(input_j) (scheme `linearised`: external sources c and J, and a B-source
that makes the dependence on the inputs implicit, as in Newton's own linearisation).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from PySpice.Spice.Netlist import Circuit


class Scheme(StrEnum):
    """How a block's outputs are predicted from accepted points to the candidate time."""

    EXPLICIT = "explicit"
    EXTRAPOLATED = "extrapolated"
    LINEARISED = "linearised"

    @property
    def order(self) -> int:
        """Order of the coupling error in the step."""
        return 1 if self is Scheme.EXPLICIT else 2


@dataclass(frozen=True)
class LockstepPort:
    """Sources that drive `outputs` (nodes) from a function of the voltages of `inputs` (nodes)."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scheme: Scheme

    @property
    def external_sources(self) -> tuple[str, ...]:
        """Names of the external sources as ngspice reports them, lower case.

        Order: one for each output; with `linearised` then the Jacobian, row by row.
        """
        return tuple(f"v{node}".lower() for node in (*self._offset_nodes, *self._jacobian_nodes))

    @property
    def _offset_nodes(self) -> Sequence[str]:
        if self.scheme is Scheme.LINEARISED:
            return [f"offset_{output}" for output in self.outputs]
        return self.outputs

    @property
    def _jacobian_nodes(self) -> Sequence[str]:
        if self.scheme is not Scheme.LINEARISED:
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
        if self.scheme is Scheme.LINEARISED:
            for row, output in enumerate(self.outputs):
                terms = [f"V(offset_{output})"] + [
                    f"V({self._jacobian_node(row, column)})*V({node})"
                    for column, node in enumerate(self.inputs)
                ]
                circuit.B(output, output, circuit.gnd, voltage_expression="+".join(terms))
