"""The built-in model: which weights there are, fetching them, and serving them on loopback."""
