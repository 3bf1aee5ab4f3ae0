"""Image quality metrics, each with its identity card."""
