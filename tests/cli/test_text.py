"""Numbers as the command line prints them."""

import pytest

from harness.cli.text import counted, duration, size


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 cases"), (1, "1 case"), (2, "2 cases"), (21, "21 cases")]
)
def test_one_thing_is_not_many(number, text):
    assert counted(number, "case") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7620, "2 h 07 min")],
)
def test_a_time_reads_in_the_units_that_people_use(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (3.9e6, "3.9 MB"), (2e12, "2 TB")]
)
def test_a_number_of_bytes_reads_in_si_prefixes(number, text):
    assert size(number) == text
