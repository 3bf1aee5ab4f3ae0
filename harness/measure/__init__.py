"""Clock, memory, operations, and what machine it was."""
