"""The published diffusion solver: the framework's largest client."""
