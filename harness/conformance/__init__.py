"""The conformance test: what an adapter's author runs."""
