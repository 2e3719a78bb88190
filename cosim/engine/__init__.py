"""ngspice through PySpice: library, session, workers, analyses, and the audit of what it says."""
