"""The REST routes, one resource a file."""
