"""The parsers that are attacked, and the process that attacks one of them."""
