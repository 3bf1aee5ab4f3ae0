"""BD-rate and its uncertainty, from DataFrames alone."""

from harness.analysis.bdrate import BDOptions, BDRate, bd_rates, default_anchor
from harness.analysis.comparison import MIN_OVERLAP
from harness.analysis.curves import Curve, curves_of
from harness.analysis.records import ImageSet, curve_records, image_sets, metrics_in

__all__ = [
    "MIN_OVERLAP",
    "BDOptions",
    "BDRate",
    "Curve",
    "ImageSet",
    "bd_rates",
    "curve_records",
    "curves_of",
    "default_anchor",
    "image_sets",
    "metrics_in",
]
