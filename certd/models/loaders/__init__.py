"""Readers of weights and builders of networks, one format a file; nothing is ever downloaded."""
