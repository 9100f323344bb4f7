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

__all__ = [
    "certified_radius_factor",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "floor_to",
    "gaussian_radius",
    "largest_certifiable_radius",
    "least_certifying_count",
    "lower_bounds_table",
]
