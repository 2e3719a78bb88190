"""The paper's figures that need solves, one module for each group."""
