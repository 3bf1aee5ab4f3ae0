"""How a worker is started."""
