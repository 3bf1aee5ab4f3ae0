"""Brings what is missing: data sets, checkouts, weights; downloads, and sha256 of files."""
