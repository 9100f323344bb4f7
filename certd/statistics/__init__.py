"""The statistics of certification: bounds from counts, thresholds of plans, statements about whole sets."""

from certd.statistics.clopper_pearson import (
    certified_radius_factor,
    clopper_pearson_lower,
    clopper_pearson_upper,
    floor_to,
    gaussian_radius,
    largest_certifiable_radius,
    least_certifying_count,
    lower_bounds_table,
)
from certd.statistics.martingale import anytime_lower, log_capital
from certd.statistics.pilot import draws_for_precision
from certd.statistics.sequential import (
    GroupSequentialDesign,
    crossing_probability,
    group_sequential_design,
    stage_schedule,
)
from certd.statistics.spending import spent_alpha

__all__ = [
    "GroupSequentialDesign",
    "anytime_lower",
    "certified_radius_factor",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "crossing_probability",
    "draws_for_precision",
    "floor_to",
    "gaussian_radius",
    "group_sequential_design",
    "largest_certifiable_radius",
    "least_certifying_count",
    "log_capital",
    "lower_bounds_table",
    "spent_alpha",
    "stage_schedule",
]
