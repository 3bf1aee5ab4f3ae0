"""The inputs that earlier attacks on the parsers kept are accepted or refused, and nothing else.

New ones are found by ``python -m campaigns parsers``, which needs atheris; this does not.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from campaigns.parsing.targets import TARGETS  # noqa: E402 - made importable above

CORPUS = ROOT / "campaigns" / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_what_attacks_kept_is_accepted_or_refused(name):
    parser = TARGETS[name].make()
    kept = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    outcomes = {parser.accepts(content) for content in [*parser.seeds, *kept]}
    assert outcomes == {True, False}


@pytest.mark.parametrize("name", TARGETS)
def test_a_repaired_checksum_lets_a_valid_input_pass(name):
    parser = TARGETS[name].make()
    if parser.repair is None:
        pytest.skip("its inputs have no checksum")
    for content in parser.seeds:
        assert parser.accepts(parser.repair(content)) == parser.accepts(content)


def test_the_corpus_is_small_and_has_every_parser():
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 500_000
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
