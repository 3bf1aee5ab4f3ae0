"""Result records on disk."""
