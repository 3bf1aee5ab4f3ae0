"""BD-rate and its uncertainty, from DataFrames alone."""
