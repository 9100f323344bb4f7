"""What an import costs: the least of several new interpreters, less an interpreter that imports nothing.

    python -m benchmarks.imports

Processor time, which a busy machine does not change much. Prints Markdown.
"""

from __future__ import annotations

import resource
import subprocess
import sys

TIMES = 3
STATEMENTS = (
    "import certd",
    "from certd import Client",
    "from certd import Result",
    "import certd.cli",
    "from certd import certify",
    "from certd.models import load_model",
)


def main() -> None:
    """Time each statement and print a row for it."""
    nothing = _least_seconds("pass")
    print(f"Least of {TIMES}; an interpreter that imports nothing takes {1000 * nothing:.0f} ms.\n")
    print("| | processor ms |\n|---|---|")
    for statement in STATEMENTS:
        print(f"| `{statement}` | {1000 * (_least_seconds(statement) - nothing):,.0f} |", flush=True)


def _least_seconds(statement: str) -> float:
    return min(_seconds(statement) for _ in range(TIMES))


def _seconds(statement: str) -> float:
    began = _used()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return _used() - began


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
