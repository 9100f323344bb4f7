"""Readers of data sets on this machine, one format a file; nothing is downloaded and nothing is unpickled."""
