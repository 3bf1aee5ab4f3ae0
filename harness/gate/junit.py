"""A comparison as JUnit XML, which every CI system shows."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from harness.gate.compare import Comparison
from harness.gate.finding import Finding
from harness.gate.report import sentence, subject_label, verdict_text
from harness.text import printable


def junit(comparison: Comparison) -> str:
    """One suite for each codec and image set, one test for each comparison.

    What got worse is a failure, what did not run an error, what was not judged is skipped.
    """
    root = ET.Element("testsuites", name="harness compare")
    suites: dict[str, ET.Element] = {}
    for finding in comparison.findings:
        name = printable(f"{finding.codec} on {finding.image_set.title}")
        if name not in suites:
            suites[name] = ET.SubElement(root, "testsuite", name=name)
        _test(suites[name], finding)
    for suite in suites.values():
        count(suite)
    count(root)
    if comparison.notes:
        output = ET.SubElement(_first(root), "system-out")
        output.text = printable("\n".join(f"not compared: {note}" for note in comparison.notes))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _test(suite: ET.Element, finding: Finding) -> None:
    where = f" at {finding.rate}" if finding.rate else ""
    status = f" ({finding.subject})" if finding.kind == "status" else ""
    name = printable(f"{subject_label(finding)}{where}{status}")
    test = ET.SubElement(suite, "testcase", name=name, classname=suite.attrib["name"])
    kind = {"worse": "failure", "did not run": "error", "not judged": "skipped"}
    if tag := kind.get(finding.verdict):
        message = finding.note if tag == "skipped" else sentence(finding)
        mark = ET.SubElement(test, tag, message=printable(message))
        if tag != "skipped":
            mark.set("type", printable(verdict_text(finding)))


def count(element: ET.Element) -> None:
    """Write into a suite, or all of them, how many tests it holds and how they ended."""
    for attribute, path in {
        "tests": ".//testcase",
        "failures": ".//failure",
        "errors": ".//error",
        "skipped": ".//skipped",
    }.items():
        element.set(attribute, str(len(element.findall(path))))


def _first(root: ET.Element) -> ET.Element:
    """The suite that holds what is about none of them."""
    suite = root.find("testsuite")
    return ET.SubElement(root, "testsuite", name="comparison") if suite is None else suite
