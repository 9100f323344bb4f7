"""Results of other software, with the traps that its files hold."""

from certd.reports.importers.cohen import CohenRow, import_cohen, read_cohen_rows
from certd.reports.importers.conditions import Conditions
from certd.reports.importers.counts import import_counts
from certd.reports.importers.rs4a import import_rs4a

__all__ = ["CohenRow", "Conditions", "import_cohen", "import_counts", "import_rs4a", "read_cohen_rows"]
