"""A paper's tables and figures, measured beside published."""
