"""Netlists: generated or read from files, parsed, checked by rules, drawn; no simulation."""
