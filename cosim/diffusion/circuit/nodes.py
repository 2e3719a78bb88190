"""What the nodes and sources of the solver are called, and what is recorded of each state."""

from cosim.netlist.netlist import Signal

SCORE_PARTS = ("score", "unconditional")
"""Kinds of the integrators' inputs that carry a score; with guidance the second is that without the
condition."""
SCORE_RATE = "score_rate"
"""beta / (4 sigma), of a network whose output is to be divided by sigma."""

SCORE_RATE_SIGNAL = Signal(
    "beta.score_rate", SCORE_RATE, "V", "beta(t)/(4 sigma(t)), 1 V for 1, above ground"
)


def state_node(index: int) -> str:
    """Integrator output: the state x_index."""
    return f"x_{index}"


def score_node(index: int | str, part: int = 0) -> str:
    """Raw score, before the output gain; part 1 is that without the condition."""
    return f"{SCORE_PARTS[part]}_{index}"


def activation_node(unit: int) -> str:
    """Last activation of a score network whose last layer is outside the netlist."""
    return f"activation_{unit}"


def noise_node(index: int) -> str:
    """Noise source of a state."""
    return f"noise_{index}"


def wiener_node(index: int) -> str:
    """Noise input of a state: minus its noise, with the amplitude of its beta."""
    return f"wiener_{index}"


def initial_source(index: int) -> str:
    """Name of the DC source of an initial condition."""
    return f"Vinitial_{index}"


def state_signals(index: int) -> list[Signal]:
    """What a run records of a state."""
    return [
        Signal(f"integrator_{index}.out", state_node(index), "V", f"state x{index + 1}"),
        Signal(f"score.{index}", score_node(index), "V", f"raw score {index + 1}"),
        Signal(
            f"integrator_{index}.virtual_ground",
            f"xintegrator_{index}.virtual_ground",
            "V",
            "op-amp inverting input",
        ),
        Signal(f"multiplier_state_{index}.out", f"drift_state_{index}", "V", "-beta/2 x"),
        Signal(f"multiplier_score_{index}.out", f"drift_score_{index}", "V", "-beta/2 raw"),
    ]


def noise_signals(states: int, converters: object | None) -> list[Signal]:
    """The draws of each state's noise; of converters, which hold them with their amplitude."""
    if converters is not None:
        node, said = wiener_node, "the Wiener term's input"
    else:
        node, said = noise_node, "draw of the Wiener term"
    return [Signal(f"noise.{index}", node(index), "V", said) for index in range(states)]
