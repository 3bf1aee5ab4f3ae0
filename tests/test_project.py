"""What the project states of itself outside its code agrees with the code."""

import re
from pathlib import Path

import yaml

import harness
from harness.catalog.codecs import load_catalog

ROOT = Path(__file__).parents[1]


def test_the_citation_names_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == harness.__version__


def test_the_changelog_has_a_section_for_the_version():
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert harness.__version__ in headings


def test_every_baseline_is_checked_weekly(monkeypatch):
    """A baseline is a codec that runs its authors' code: it has a checkout or an environment."""
    monkeypatch.delenv("HARNESS_ADAPTERS")
    adapters = {
        codec.folder.name
        for codec in load_catalog().codecs.values()
        if codec.upstream is not None or codec.environment is not None
    }
    workflow = yaml.safe_load((ROOT / ".github/workflows/baselines.yml").read_text())
    checked = workflow["jobs"]["check"]["strategy"]["matrix"]["codec"]
    assert {name.replace("-", "_") for name in checked} == adapters


def test_continuous_integration_runs_environments_that_tox_has():
    environments = set(
        re.findall(r"^\[testenv:(\w+)\]", (ROOT / "tox.ini").read_text(), re.MULTILINE)
    )
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    called = set(jobs["static"]["strategy"]["matrix"]["env"])
    called |= {row["env"] for row in jobs["tests"]["strategy"]["matrix"]["include"]}
    called |= set(re.findall(r"tox run -e (\w+)", str(jobs)))
    assert called <= environments
    assert {"lint", "rules", "docs", "types", "tests", "coverage", "wheel"} <= called


def test_every_room_stands_on_the_architecture_page():
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")}
    shown = set(re.findall(r"^\| `(\w+)/`", page, re.MULTILINE))
    assert shown == rooms
