"""The test that an adapter's author runs."""
