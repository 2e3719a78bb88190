"""The HTML page of runs: one file that needs nothing else, or live on loopback."""
