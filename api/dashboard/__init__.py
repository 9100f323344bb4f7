"""The dashboard: pages for people over the same services that programs use; see ``installation``."""
