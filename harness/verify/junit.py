"""Verdicts as JUnit XML, which every CI system shows."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from harness.gate.junit import clean, count
from harness.verify.finding import Outcome, Verdict


def junit(verdicts: Sequence[Verdict]) -> str:
    """One suite for each codec, one test for each case.

    What differs is a failure, what could not be compared an error.
    """
    kinds = {Outcome.DIFFERENT: "failure", Outcome.IMPOSSIBLE: "error"}
    root = ET.Element("testsuites", name="harness verify")
    suites: dict[str, ET.Element] = {}
    for verdict in verdicts:
        codec = clean(str(verdict.record["codec"]))
        if codec not in suites:
            suites[codec] = ET.SubElement(root, "testsuite", name=codec)
        test = ET.SubElement(
            suites[codec], "testcase", name=clean(verdict.name), classname=suites[codec].get("name", "")
        )
        if kind := kinds.get(verdict.outcome):
            message = clean(verdict.explanation())
            ET.SubElement(test, kind, message=message, type=str(verdict.outcome))
    return written(root)


def written(root: ET.Element) -> str:
    """The document, with the counts of each suite and of all."""
    for suite in root:
        count(suite)
    count(root)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
