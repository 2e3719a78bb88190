"""Score models in torch: equations, networks, tasks, training, samplers, metrics."""
