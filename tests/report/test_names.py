"""A name or a message stays text, whatever it holds and wherever it is printed."""

from __future__ import annotations

import csv
import html.parser
import io
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from made_results import changed, curve, together
from rich.console import Console

from harness.analysis import BDOptions, bd_rates
from harness.catalog.metrics import METRICS
from harness.cli.table import print_table
from harness.gate.compare import compare
from harness.gate.junit import junit
from harness.gate.limits import Limits
from harness.gate.pairs import Side
from harness.gate.report import comparison_markdown, verdict_lines
from harness.report import write_report
from harness.report.bdtables import detail_tables
from harness.report.escape import for_csv, for_markdown
from harness.report.latex import latex
from harness.report.render import csv_text, markdown, terminal
from harness.report.tables import Column, Table, make_table, number, words

RATES = [0.1, 0.2, 0.4, 0.8, 1.6]
PSNR = [28.0, 31.0, 34.0, 37.0, 40.0]

NAMES = {
    "html": "</script><img src=x onerror=alert(1)><summary>",
    "markdown": "[click](javascript:alert(1)) `code` **b** a|b ~~s~~ $x$ &lt; ![i](u)",
    "heading": "# not a heading\n\n# nor this",
    "list": "- item",
    "numbered": "1. item",
    "latex": r"\input{x} $a$ #1 %c ^ ~ &",
    "row option": "[red]bold[/red] :smile:",
    "row star": "*x*",
    "formula": '=HYPERLINK("http://x","y")',
    "minus": "-2+3",
    "at": "@SUM(A1)",
    "tab": "\t=1+1",
    "carriage return": "\r=1+1",
    "wide": "\uff1d1+1",
    "control": "a\x00b\x07c\x1b[2Jd\x7fe\x9bf\ufffe",
    "surrogate": "caf\udce9.png",
    "direction": "abc\u202egnp.exe",
    "long": "n" * 300,
}


@pytest.fixture(params=NAMES.values(), ids=NAMES)
def name(request):
    return request.param


@pytest.fixture
def recorded(name):
    """A name as records hold it: UTF-8, which has no halves of characters."""
    return name.encode("utf-8", "replace").decode("utf-8")


def table_of(name: str) -> Table:
    columns = [Column("codec", name, is_text=True), Column("x", "X", "lower")]
    rows = [[words(name, note=name), number(-1.5, 1)], [words("b"), number(2.0, 1)]]
    return make_table("t", name, columns, rows, [name])


def visible(name: str) -> str:
    """What is left of a name to read: letters and digits."""
    return "".join(re.findall("[a-zA-Z0-9]", name.replace("\x1b[2J", "2J")))


class Elements(html.parser.HTMLParser):
    """The elements of a page and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not any(key.startswith("on") for key, _ in attrs)

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("which", ["html", "markdown", "control", "long"])
def test_a_report_is_written_and_its_page_has_no_element_of_a_names(which, tmp_path):
    recorded = NAMES[which]
    frame = together(
        curve("jpeg", RATES, PSNR, dataset=recorded),
        curve(
            "evil",
            RATES,
            PSNR,
            title=recorded,
            dataset=recorded,
            status="crashed",
            message=recorded,
        ),
        curve("test", RATES, PSNR, title=recorded, dataset=recorded),
    )
    index, page, *others = write_report(frame, tmp_path, title=recorded)
    elements = Elements(index.read_text(encoding="utf-8"))
    assert "summary" in elements.tags  # ours
    assert elements.tags.isdisjoint({"b"})
    assert index.read_text(encoding="utf-8").count("<img") == len(
        [p for p in others if p.suffix == ".png" and "psnr" in p.name]
    )
    figures = re.findall(r"(?m)^!\[.*\]\((.+)\)$", page.read_text(encoding="utf-8"))
    assert figures
    for figure in figures:
        assert (tmp_path / unquote(figure)).is_file()
        assert re.fullmatch(r"[\w./%~-]+", figure, re.ASCII)
    assert all(path.is_file() and path.is_relative_to(tmp_path) for path in others)


def test_markdown_sees_no_mark_in_it(name):
    lines = markdown(table_of(name)).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 4
    for line in rows:
        assert len(re.findall(r"(?<!\\)\|", line)) == 3
    text = for_markdown(name)
    assert "\n" not in text
    assert not re.match(r"\s*([#>]|[-+*]\s|\d+[.)]\s)", text)
    assert not re.search(r"(?<!\\)[`*_<>|\[\]~$&]", text.replace("\\\\", ""))
    assert visible(re.sub(r"\\(?=\W)", "", text)) == visible(name)


def test_latex_sees_no_command_in_it_and_a_row_is_no_option_of_the_line_before(name):
    text = latex(table_of(name))
    lines = text.splitlines()
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    for before, line in itertools.pairwise(lines):
        if before.endswith(("rule", r"\\")):
            assert not line.lstrip().startswith(("[", "*"))
    (caption,) = [line for line in lines if line.startswith(r"\caption")]
    assert r"\input{" not in text
    assert caption.endswith("}")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", text.replace("\t", ""))


def test_no_spreadsheet_computes_it_and_numbers_stay_numbers(name):
    text = csv_text(table_of(name))
    head, first, second = csv.reader(io.StringIO(text, newline=""))
    assert head[:2] == ["codec", "x"]
    assert first[1] == "-1.5"
    assert second == ["b", "2", ""]
    for cell in (*head, first[0], first[2]):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"))
    assert visible(first[0]) == visible(name)


def test_a_harmless_name_is_the_same_in_a_spreadsheet():
    assert for_csv("codec-1 @ 0.5") == "codec-1 @ 0.5"


def test_a_terminal_prints_it_and_obeys_nothing(name, monkeypatch):
    out = io.StringIO()
    Console(file=out, width=2000, force_terminal=False).print(terminal(table_of(name)))
    printed = out.getvalue()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]", printed.replace("\t", ""))
    assert visible(name) in visible(printed)
    typed = io.StringIO()
    typed.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", typed)
    monkeypatch.setenv("COLUMNS", "2000")
    print_table(["Codec"], [[name]])
    assert visible(name) in visible(re.sub("\x1b\\[[0-9;]*m", "", typed.getvalue()))
    assert "\x1b[2J" not in typed.getvalue()


def test_a_comparison_of_it_is_well_formed_in_every_output(recorded):
    base = curve("jpeg", RATES, PSNR, title=recorded, dataset=recorded)
    worse = changed(base, {"rate": "r0"}, status="crashed", message=recorded)
    found = compare(Side(recorded, base), Side("pr", worse), Limits(samples=100))
    root = ET.fromstring(junit(found).encode())  # noqa: S314 - we wrote it
    assert len(list(root.iter("error"))) == 1
    text = comparison_markdown(found)
    text.encode()
    assert text.count("<details>") == text.count("</details>") == 1
    assert text.count("\n<summary>") == 1
    assert "\n<img" not in text
    (summary,) = re.findall("<summary>(.*)</summary>", text)
    assert "<" not in summary
    assert verdict_lines(found)


def test_json_of_bd_rates_has_the_name_as_it_is(recorded):
    frame = together(curve("jpeg", RATES, PSNR), curve("test", RATES, PSNR, title=recorded))
    cells = bd_rates(frame, METRICS["psnr"], "jpeg", BDOptions(samples=10))
    assert json.loads(json.dumps([cell.title for cell in cells]))[-1] == recorded
    assert detail_tables(cells, BDOptions())


FULL = """
import resource, sys
from made_results import curve
from harness.errors import HarnessError
from harness.report import write_report
frame = curve("jpeg", [0.1, 0.2, 0.4, 0.8], [28.0, 31.0, 34.0, 37.0])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    write_report(frame, sys.argv[1])
except HarnessError as error:
    sys.exit(f"{error.problem} / {error.remedy}")
"""


@pytest.mark.parametrize("room", [0, 60_000])
def test_a_file_that_finds_no_room_is_an_error_that_says_so_and_leaves_no_part_of_itself(
    room, tmp_path
):
    """A process that may write no larger file meets the error that a full disk gives."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "report"), str(room)],
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), "MPLCONFIGDIR": "/nonexistent"},
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 1
    assert f"cannot write the report to {tmp_path / 'report'}" in done.stderr
    assert "free some space, or name a place that can be written" in done.stderr
    assert "Traceback" not in done.stderr
    left = [path for path in (tmp_path / "report").rglob("*") if path.is_file()]
    assert all(path.stat().st_size > 0 for path in left)
    assert not [path for path in left if path.name.endswith(".part")]
