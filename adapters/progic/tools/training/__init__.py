"""Training of ProGIC: data, losses, codebooks, and a loop that survives being killed."""
