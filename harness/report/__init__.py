"""Tables, figures and pages, from DataFrames alone."""
