"""Reads photographs, derives the resolutions that are measured, and remembers file facts."""
