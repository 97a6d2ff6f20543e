"""Software of the digital workspace (ENT): directory layer and web applications."""
