"""Can it run here, what is lacking, which command helps; and what machine this is."""
