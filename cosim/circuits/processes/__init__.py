"""The processes, a module each: a new one is a file here with a subclass of `Process`."""
