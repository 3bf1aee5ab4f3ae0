"""What manifests state of codecs, data sets and metrics. It reads, and never runs."""
