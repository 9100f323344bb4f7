"""The REST service: takes jobs, says how they stand, hands out what they proved. See ``python -m api``."""
