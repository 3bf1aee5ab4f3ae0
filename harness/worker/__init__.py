"""The child process that runs an adapter, and the wire to it."""
