"""Figures: values built by pure functions, turned into files by renderers."""

from certd.reports.figures.figure import Axis, Band, Bars, Figure, Line, Rule, Table
from certd.reports.figures.gallery import gallery
from certd.reports.figures.svg import render_svg

__all__ = ["Axis", "Band", "Bars", "Figure", "Line", "Rule", "Table", "gallery", "render_svg"]
