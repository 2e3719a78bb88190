"""Data sheets: the engine, and one bench module for each block."""
