"""Co-simulation of analog in-memory neural solvers: ngspice in lockstep with torch."""
