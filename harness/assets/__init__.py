"""Fetches what is missing: data sets, checkouts, weights; and computes sha256 of files."""
