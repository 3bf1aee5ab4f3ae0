"""Recorded cases encoded, decoded and scored again, and compared with their records."""
