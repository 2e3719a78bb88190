"""The solver's circuit: weights to conductances, the score network, the closed loop."""
