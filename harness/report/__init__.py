"""Tables, figures and pages, from DataFrames alone."""

from harness.report.rates import summary_table
from harness.report.write import write_report

__all__ = ["summary_table", "write_report"]
