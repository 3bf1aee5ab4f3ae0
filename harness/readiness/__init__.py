"""Can a codec run here, what is missing, which command helps; and what machine this is."""
