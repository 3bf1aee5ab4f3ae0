"""What a worker sends is an answer of the right types and ranges, or it is refused."""

import json
import math
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.environments.answers import (
    COUNT,
    ERROR,
    FACTS,
    TIME,
    BadAnswer,
    check_times,
    checked,
    event_of,
    figures,
    integer,
    parsed,
    safe,
)
from harness.worker.timing import Calls

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
RULES = {
    "load": {"load_ms": TIME, "facts": FACTS},
    "encode": figures(Calls(repeats=3)),
    "prefixes": {"lengths": integer(1, 100).list_of(2, 2)},
    "error": ERROR,
}
NAMES = sorted({name for rules in RULES.values() for name in rules})


@given(st.binary())
def test_bytes_are_a_json_object_or_refused(data):
    with suppress(BadAnswer):
        assert type(parsed(data)) is dict


@pytest.mark.parametrize("text", ["[" * 500_000, '{"id": ' + "9" * 100_000 + "}", "NaN", "[1]", ""])
def test_json_that_breaks_parsers_is_refused(text):
    with pytest.raises(BadAnswer):
        parsed(text.encode())


@given(st.dictionaries(st.sampled_from(["id", "event", *NAMES]) | st.text(), ANYTHING))
def test_whatever_is_sent_is_refused_or_holds_what_it_must(header):
    for rules in RULES.values():
        filled = {**dict.fromkeys(rules, 1), **header}
        for sent in (header, {name: filled[name] for name in rules}):
            try:
                fields = checked(sent, rules)
                check_times(fields, 1e9)
            except BadAnswer:
                continue
            assert fields.keys() == rules.keys()
            json.dumps(fields, allow_nan=False).encode()
    with suppress(BadAnswer):
        assert event_of(header, 7) in {"call", "done", "error"}
        assert header["id"] == 7


@pytest.mark.parametrize("ms", [-5.0, math.nan, math.inf, True, "1", None, 10**400, 1e300])
def test_what_is_no_time_is_refused(ms):
    with pytest.raises(BadAnswer):
        checked({"load_ms": ms, "facts": {}}, RULES["load"])


def test_a_time_is_no_longer_than_the_harness_waited():
    check_times({"samples_ms": [900.0]}, waited_ms=950.0)
    with pytest.raises(BadAnswer, match="after 950 ms"):
        check_times({"samples_ms": [2900.0]}, waited_ms=950.0)


@pytest.mark.parametrize("length", [-5, 0, 101, 10**9, True, 5.0, "5"])
def test_what_is_no_length_of_a_prefix_is_refused(length):
    with pytest.raises(BadAnswer):
        checked({"lengths": [length, 100]}, RULES["prefixes"])


@pytest.mark.parametrize("status", ["ok", "timeout", "fine", None, ["failed"]])
def test_an_error_has_the_status_of_one(status):
    with pytest.raises(BadAnswer):
        checked({"status": status, "reason": "codec", "problem": "", "remedy": ""}, ERROR)


@given(st.text(st.characters()))
def test_a_text_can_be_written_and_moves_no_cursor(text):
    shown = safe(text)
    shown.encode("utf-8")
    categories = {unicodedata.category(c) for c in shown if c not in "\n\t"}
    assert categories.isdisjoint({"Cc", "Cf", "Cs"})
    assert len(shown) <= 10 * len(text)


def test_a_long_text_is_cut_and_says_so():
    assert safe("a" * 5000).endswith("a... (1000 more characters)")
    assert COUNT.holds(2**63 - 1)
    assert not COUNT.holds(2**63)
