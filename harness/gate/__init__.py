"""A candidate against its base, and a codec over its checkpoints: what got worse."""
