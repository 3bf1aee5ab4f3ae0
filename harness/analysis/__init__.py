"""BD-rate and its uncertainty, from DataFrames alone."""

from harness.analysis.bdrate import MIN_OVERLAP, BDOptions, BDRate, bd_rates, default_anchor
from harness.analysis.curves import Curve, curves_of
from harness.analysis.measures import MEASURES, Measure, measure_named, measures_in
from harness.analysis.records import Scene, curve_records, scenes

__all__ = [
    "MEASURES",
    "MIN_OVERLAP",
    "BDOptions",
    "BDRate",
    "Curve",
    "Measure",
    "Scene",
    "bd_rates",
    "curve_records",
    "curves_of",
    "default_anchor",
    "measure_named",
    "measures_in",
    "scenes",
]
