"""Blocks in lockstep with a transient: ports, coupling schemes, step control, exchange."""
