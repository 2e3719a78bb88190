"""Rules by kind; each yields findings of a parsed netlist."""
