"""Datasheets of any circuit: conditions, parameters, limits; runs, verdicts, comparisons."""
