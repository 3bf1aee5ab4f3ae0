"""Measures batches and scores them; the speed sweep."""
