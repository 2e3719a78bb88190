"""Circuit blocks: one module a block, with its design equations."""
