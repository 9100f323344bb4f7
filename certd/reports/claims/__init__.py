"""What authors claim of their models on a leaderboard, read, written and held against what was measured."""

from certd.reports.claims.claim import Claim, ClaimedModel, Threat
from certd.reports.claims.difference import Difference, differences
from certd.reports.claims.form import read_form, write_form
from certd.reports.claims.model_info import read_model_info, write_model_info

__all__ = [
    "Claim",
    "ClaimedModel",
    "Difference",
    "Threat",
    "differences",
    "read_form",
    "read_model_info",
    "write_form",
    "write_model_info",
]
