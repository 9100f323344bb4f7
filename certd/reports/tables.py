"""Tables of numbers as Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.reports.figures.figure import Table

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "≥": r"$\ge$",
        "·": r"$\cdot$",
    }
)


def to_markdown(table: Table) -> str:
    """Write a table as GitHub's Markdown; numbers stand right."""
    lines = [table.header, tuple("---:" for _ in table.header), *table.rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def to_csv(table: Table) -> str:
    """Write a table as CSV, header first."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([table.header, *table.rows])
    return stream.getvalue()


def to_latex(table: Table, caption: str, label: str, best: Sequence[int] = ()) -> str:
    r"""Write a table for LaTeX's booktabs.

    Args:
        table: The numbers.
        caption: What they are and under which conditions; a table without is not comparable with any other.
        label: For ``\ref``.
        best: Columns whose largest number is set in bold, where several runs stand below one another.
    """
    bold = {column: _largest(table, column) for column in best}
    rows = [
        " & ".join(_cell(cell, strong=bold.get(i) == cell) for i, cell in enumerate(row))
        for row in table.rows
    ]
    body = " \\\\\n".join(rows)
    header = " & ".join(_escaped(name) for name in table.header)
    return (
        "\\begin{table}\n\\centering\n"
        f"\\caption{{{_escaped(caption)}}}\n\\label{{{label}}}\n"
        f"\\begin{{tabular}}{{{'r' * len(table.header)}}}\n\\toprule\n{header} \\\\\n\\midrule\n"
        f"{body} \\\\\n\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
    )


def _largest(table: Table, column: int) -> str:
    return max((row[column] for row in table.rows), key=float)


def _cell(text: str, *, strong: bool) -> str:
    return f"\\textbf{{{_escaped(text)}}}" if strong else _escaped(text)


def _escaped(text: str) -> str:
    return text.translate(_LATEX)
