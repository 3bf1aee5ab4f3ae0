"""How often a call is repeated, by what the calls before it took; and what the heap keeps."""

import os
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.environments import Inline
from harness.environments.base import HEAP_VARIABLES
from harness.worker.timing import FAST_CALLS, FAST_MS, MAX_WARM, Calls, Schedule
from tests.environments.test_workers import seen


def samples(calls, times):
    """Which of the times count; one that goes on asking for more calls fails."""
    schedule = Schedule(calls)
    counted = []
    for ms in times:
        if schedule.counts(ms):
            counted.append(ms)
        if schedule.over:
            return counted
    pytest.fail("it asks for more calls")


def test_a_fast_call_is_timed_five_times_once_its_times_no_longer_fall():
    times = [9.0, 4.0, 2.0, 1.0, 1.0, 0.99, 1.01, 1.02, 1.03, 1.04, 1.05]
    assert samples(Calls(steady=True), times) == times[6:11]


def test_a_slow_call_is_timed_once_and_warmed_up_only_if_asked():
    assert samples(Calls(steady=True), [400.0, 300.0]) == [400.0]
    assert samples(Calls(warmup=1, steady=True), [400.0, 300.0, 200.0]) == [300.0]


def test_fast_calls_take_little_more_than_they_are_given():
    times = [40.0] * 10
    assert samples(Calls(steady=True), times) == [40.0, 40.0]


@pytest.mark.parametrize("steady", [True, False])
def test_at_least_as_many_as_are_asked_for(steady):
    assert len(samples(Calls(warmup=3, repeats=7, steady=steady), repeat(1.0))) == 7
    assert samples(Calls(warmup=3, repeats=2), [9.0, 8.0, 7.0, 6.0, 5.0]) == [6.0, 5.0]


@pytest.mark.parametrize("steady", [True, False])
def test_a_call_over_the_cap_is_the_last_and_counts(steady):
    calls = Calls(warmup=2, repeats=9, cap_ms=100.0, steady=steady)
    assert samples(calls, [150.0]) == [150.0]


@given(
    st.lists(st.floats(0, 1000), max_size=30),
    st.builds(Calls, st.integers(0, 3), st.integers(1, 9), st.none(), st.booleans()),
)
def test_it_always_ends_within_the_number_of_calls_that_it_states(times, calls):
    schedule = Schedule(calls)
    made = warm = timed = 0
    for ms in chain(times, repeat(1.0)):
        made += 1
        if schedule.counts(ms):
            timed += 1
        else:
            warm += 1
        if schedule.over:
            break
    assert made <= calls.most
    assert calls.repeats <= timed <= max(calls.repeats, FAST_CALLS)
    assert calls.warmup <= warm <= calls.warmup + MAX_WARM


def test_what_is_added_to_a_case_has_a_bound():
    for ms in (0.01, 1.0, 10.0, 30.0, FAST_MS):
        schedule, total = Schedule(Calls(steady=True)), 0.0
        while not schedule.over:
            schedule.counts(ms)
            total += ms
        assert total <= 4 * FAST_MS


def test_every_worker_has_the_same_heap(tmp_path, environment):
    look = f"[os.environ[name] for name in {list(HEAP_VARIABLES)}]"
    for place in (environment, Inline()):
        assert seen(place, look, tmp_path / "log") == list(HEAP_VARIABLES.values())
    assert not HEAP_VARIABLES.keys() & os.environ.keys()
