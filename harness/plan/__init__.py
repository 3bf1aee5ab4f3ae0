"""From what was asked to cases and batches, and what they will take."""
