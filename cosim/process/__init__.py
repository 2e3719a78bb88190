"""Transistor processes: models, corners, statistics; a module and a `Process` each."""
