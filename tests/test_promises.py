"""Each promise of the documentation names tests and campaigns that exist."""

import ast
import re
from pathlib import Path

import pytest

from campaigns.__main__ import CAMPAIGNS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "promises.md").read_text()
PROMISES = re.findall(r"^\| (?!promise \||---)(.*?) \| (.*?) \|$", PAGE, re.MULTILINE)


def test_there_are_promises_about_everything_that_numbers_rest_on():
    subjects = set(re.findall(r"^## (.*)$", PAGE, re.MULTILINE))
    assert {
        "Bytes", "Metrics", "Runs that end badly", "Integrity", "Identity", "Containment",
        "BD-rates", "The gate", "What is not promised",
    } == subjects  # fmt: skip
    assert len(PROMISES) > 30


@pytest.mark.parametrize(("promise", "proof"), PROMISES, ids=[p[:50] for p, _ in PROMISES])
def test_a_promise_is_tested_by_what_exists(promise, proof):
    tests = re.findall(r"`(tests/\S+\.py)::(\w+)`", proof)
    campaigns = re.findall(r"campaign `(\w+)`", proof)
    assert tests
    assert set(campaigns) <= set(CAMPAIGNS)
    assert len(tests) + len(campaigns) == len(re.findall(r"`[^`]+`", proof))
    for path, name in tests:
        module = ast.parse((ROOT / path).read_text())
        assert name in {n.name for n in module.body if isinstance(n, ast.FunctionDef)}, path
