"""Which table a benchmark makes: of which network, on which images, under how much noise."""

from __future__ import annotations

import argparse
from pathlib import Path


def table_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the table's options, to which a benchmark adds its own."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--preset", default="cifar10-pixel-std")
    parser.add_argument("--sigma", type=float, default=0.25)
    parser.add_argument("--skip", type=int, default=20, help="every skip-th image makes the table")
    return parser
