"""Randomized-smoothing certification: certified radii with honest statistics."""

from certd._version import __version__

__all__ = ["__version__"]
