"""The documentation is true: its examples run, its tables are those of the code."""

from __future__ import annotations

import re
import shlex
import shutil
from collections import defaultdict
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from columns_table import PAGE, with_tables

from harness.catalog.codec_manifest import read_codec
from harness.catalog.metrics import METRICS
from harness.cli import COMMANDS, group
from harness.errors import ManifestError

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
GUIDE = (ROOT / "docs" / "adding-a-codec.md").read_text()
MANIFEST = """
name = "mine"
title = "Mine"
family = "learned"
licence = "MIT"
entry = "codec:Mine"
"""
REQUIRED_FIRST = {  # what a table must hold before its unknown keys are told
    "top": MANIFEST + "{}",
    "rate": MANIFEST + '[[rate]]\nid = "low"\n{}',
    "constraints": MANIFEST + "[constraints]\n{}",
    "requires": MANIFEST + '[[requires]]\nmodule = "numpy"\ninstall = "pip install numpy"\n{}',
    "upstream": MANIFEST + f'[upstream]\nrepository = "mine.git"\ncommit = "{"0" * 40}"\n{{}}',
    "extension": MANIFEST
    + '[[extension]]\ntitle = "coder"\nfile = "coder.{{abi}}*.so"\nbuild = "make"\n{}',
    "environment": MANIFEST + '[environment]\nname = "mine"\n{}',
    "weights": MANIFEST + '[[weights]]\nfile = "mine.pt"\n{}',
    "external": MANIFEST + "[external]\n{}",
    "variant": MANIFEST + '[variants.mine-444]\ntitle = "Mine 4:4:4"\n{}',
}


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands_shown():
    for page in PAGES:
        for block in blocks(page.read_text(), "sh"):
            for line in block.splitlines():
                command = line.partition("#")[0].split("&&")[-1].strip()
                words = shlex.split(command.partition(">>")[0])
                if words and words[0].rpartition("/")[2] == "harness":
                    yield pytest.param(words[1:], id=f"{page.stem}: {command}")


@pytest.fixture
def adapters(tmp_path, monkeypatch):
    """The files of the guide, each in the place that its first line names."""
    for block in blocks(GUIDE, "(?:toml|python)"):
        if named := re.match(r"# (adapters/\S+)\n", block):
            path = tmp_path / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block)
    monkeypatch.setenv("HARNESS_ADAPTERS", str(tmp_path / "adapters"))
    return tmp_path / "adapters"


def test_the_adapter_of_the_guide_passes_the_conformance_test(adapters):
    result = CliRunner().invoke(group, ["check", "block-dct"])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] in GUIDE


def test_the_class_of_the_guide_has_about_forty_lines(adapters):
    assert len((adapters / "block_dct" / "codec.py").read_text().splitlines()) <= 45


def test_the_codec_of_two_command_lines_reads_and_names_its_programs(adapters):
    (spec,) = read_codec(adapters / "cjpeg" / "codec.toml")
    assert [requirement.name for requirement in spec.requires] == ["cjpeg", "djpeg"]
    assert spec.timing_scope == "process"


@pytest.mark.skipif(shutil.which("cjpeg") is None, reason="the program cjpeg is not installed")
@pytest.mark.usefixtures("adapters")
def test_the_codec_of_two_command_lines_passes_the_conformance_test():
    result = CliRunner().invoke(group, ["check", "cjpeg"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("table", REQUIRED_FIRST)
def test_the_guide_names_every_key_of_a_manifest(table, tmp_path):
    documented = defaultdict(set)
    for name, key in re.findall(r"^\| (\w+) \| `(\w+)` \|", GUIDE, re.MULTILINE):
        documented[name].add(key)
    path = tmp_path / "codec.toml"
    path.write_text(REQUIRED_FIRST[table].format("zzzzzz = 1"))
    with pytest.raises(ManifestError, match="unknown key 'zzzzzz'") as refused:
        read_codec(path)
    known = refused.value.remedy.removeprefix("known: ").split(", ")
    assert documented[table] == set(known)


def test_the_table_of_columns_is_that_of_the_schema():
    assert PAGE.read_text() == with_tables(PAGE.read_text()), "run python tests/columns_table.py"


@pytest.mark.parametrize("words", list(commands_shown()))
def test_every_command_shown_has_the_options_shown(words):
    group_or_command, context = group, click.Context(group)
    while isinstance(group_or_command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        group_or_command = group_or_command.get_command(context, name)
        assert group_or_command is not None, name
    shown = [p for p in group_or_command.get_params(context) if not getattr(p, "hidden", False)]
    known = {option for p in shown for option in p.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_every_command_is_shown_in_the_usage():
    usage = (ROOT / "docs" / "usage.md").read_text()
    assert [name for name in COMMANDS if f"\nharness {name}" not in usage] == []


def test_every_option_of_run_is_explained():
    usage = (ROOT / "docs" / "usage.md").read_text()
    run = group.get_command(click.Context(group), "run")
    options = {option for p in run.params if not p.hidden for option in p.opts}
    assert [option for option in sorted(options) if f"`{option}`" not in usage] == []


def test_every_metric_is_defined_with_its_direction():
    page = (ROOT / "docs" / "measuring.md").read_text()
    for metric in METRICS.values():
        assert f"| `{metric.name}` | {metric.direction} |" in page


def test_every_environment_variable_is_explained():
    name = re.compile(r"\bHARNESS_[A-Z]+\b")
    code = (path for folder in ("harness", "adapters") for path in ROOT.glob(f"{folder}/**/*.py"))
    read = {n for path in code for n in name.findall(path.read_text())}
    told = {n for page in PAGES for n in name.findall(page.read_text())}
    assert told == read


def test_the_python_of_the_guide_to_usage_runs(photographs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "usage.md").read_text().replace('"kodak"', repr(str(photographs)))
    names: dict[str, object] = {}
    for block in blocks(text, "python"):
        exec(block, names)  # noqa: S102 - the page is ours
    assert set(names["frame"]["status"]) == {"ok"}
    assert (tmp_path / "reports" / "mine" / "index.html").is_file()
