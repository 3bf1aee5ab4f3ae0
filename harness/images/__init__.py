"""Reads photographs, derives the resolutions that are measured, and remembers what files hold."""
