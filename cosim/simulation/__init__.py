"""The front door: netlist and blocks and what to record in, a trace out."""
