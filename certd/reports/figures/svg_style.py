"""The look of figures: colours as variables, light and dark, and always light on paper."""

from __future__ import annotations

LIGHT = (
    "--certd-paper:#fff;--certd-ink:#1b1f24;--certd-quiet:#57606a;--certd-grid:#e4e7eb;"
    "--certd-1:#0b5fa5;--certd-2:#b6480e;--certd-3:#2a7a4b;--certd-4:#7a3e9d;--certd-mark:#b3161b"
)
DARK = (
    "--certd-paper:#14181d;--certd-ink:#e6e9ed;--certd-quiet:#a3acb6;--certd-grid:#2c333b;"
    "--certd-1:#6cb2f0;--certd-2:#f29a5c;--certd-3:#6cc792;--certd-4:#c79be3;--certd-mark:#ff7b72"
)
SERIES = 4

_RULES = (
    ".certd-figure text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif;"
    "fill:var(--certd-ink);font-size:12px}"
    ".certd-figure .heading{font-size:15px;font-weight:600}"
    ".certd-figure .quiet{fill:var(--certd-quiet)}"
    ".certd-figure .mark{fill:var(--certd-mark);font-weight:600}"
    ".certd-figure .halo{paint-order:stroke;stroke:var(--certd-paper);stroke-width:4px}"
    ".certd-figure .paper{fill:var(--certd-paper)}"
    ".certd-figure .grid{stroke:var(--certd-grid);fill:none}"
    ".certd-figure .axis{stroke:var(--certd-quiet);fill:none}"
    ".certd-figure .rule{stroke:var(--certd-quiet);stroke-dasharray:2 4;fill:none}"
    ".certd-figure .curve{fill:none;stroke-width:2;stroke-linejoin:round}"
    ".certd-figure .yardstick{stroke-width:1.5}"
    ".certd-figure .bar{fill:var(--certd-1);fill-opacity:.8}"
    ".certd-figure .area{fill:var(--certd-1);fill-opacity:.18}"
)
_CURVES = "".join(
    f".certd-figure .s{i}{{stroke:var(--certd-{i})}}.certd-figure .m{i}{{fill:var(--certd-{i});"
    f"stroke:var(--certd-paper)}}"
    for i in range(1, SERIES + 1)
)
STYLE = (
    f".certd-figure{{{LIGHT}}}{_RULES}{_CURVES}"
    f"@media (prefers-color-scheme:dark){{.certd-figure{{{DARK}}}}}"
    f"@media print{{.certd-figure{{{LIGHT}}}}}"
)
DASHES = ("", "8 4", "2 4", "10 3 2 3")
YARDSTICK_DASH = "5 4"
