"""``python -m certd``: the command line."""

from certd.cli import main

main()
