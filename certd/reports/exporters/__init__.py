"""Results in the forms that other people's tools read; no radius is ever rounded up."""

from certd.reports.exporters.cohen import export_cohen
from certd.reports.exporters.model_card import export_model_card
from certd.reports.exporters.robustbench import export_robustbench
from certd.reports.exporters.rows import export_arrow, export_csv, export_ndjson, rows_of

__all__ = [
    "export_arrow",
    "export_cohen",
    "export_csv",
    "export_model_card",
    "export_ndjson",
    "export_robustbench",
    "rows_of",
]
