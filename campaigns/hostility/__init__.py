"""What a hostile person could put where the harness looks, kind by kind."""
