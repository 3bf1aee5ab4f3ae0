"""Verdicts on cases and on files as JUnit XML, which every CI system shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

from harness.gate.junit import count
from harness.text import printable
from harness.verify.files import FileOfRun
from harness.verify.finding import Outcome, Verdict


class Test(NamedTuple):
    """One test of a suite, with how it failed and why; of one that passed, both are empty."""

    suite: str
    name: str
    tag: str
    kind: str
    message: str


def cases_junit(verdicts: Sequence[Verdict]) -> str:
    """One suite for each codec, one test for each case.

    What differs is a failure, what could not be compared an error.
    """
    tags = {Outcome.DIFFERENT: "failure", Outcome.IMPOSSIBLE: "error"}
    return _junit(
        Test(
            str(verdict.record["codec"]),
            verdict.name,
            tags.get(verdict.outcome, ""),
            str(verdict.outcome),
            verdict.explanation(),
        )
        for verdict in verdicts
    )


def files_junit(found: Sequence[FileOfRun]) -> str:
    """One suite for each kind of file, one test for each file.

    What is damaged or missing is a failure, what could not be verified is skipped.
    """
    tags = {"damaged": "failure", "missing": "failure", "unverified": "skipped"}
    return _junit(
        Test(
            file.kind,
            file.name,
            tags.get(file.check.verdict, ""),
            file.check.verdict,
            file.check.detail,
        )
        for file in found
    )


def _junit(tests: Iterable[Test]) -> str:
    root = ET.Element("testsuites", name="harness verify")
    suites: dict[str, ET.Element] = {}
    for test in tests:
        name = printable(test.suite)
        if name not in suites:
            suites[name] = ET.SubElement(root, "testsuite", name=name)
        case = ET.SubElement(suites[name], "testcase", name=printable(test.name), classname=name)
        if test.tag:
            mark = ET.SubElement(case, test.tag, message=printable(test.message))
            if test.tag != "skipped":
                mark.set("type", test.kind)
    for suite in suites.values():
        count(suite)
    count(root)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
