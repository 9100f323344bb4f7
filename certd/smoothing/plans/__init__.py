"""Plans: how many draws an image gets, and when to stop. One plan a file."""

from certd.smoothing.plans.fixed import FixedPlan
from certd.smoothing.plans.plan import Conclusion, Plan

__all__ = ["Conclusion", "FixedPlan", "Plan"]
