"""What differs between where a record was made and here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness.readiness.machine import describe, fingerprint
from harness.verify.manifests import part
from harness.verify.subject import Subject


class Here:
    """This machine, described once.

    Attributes:
        machine: See :func:`harness.readiness.machine.describe`.
        fingerprint: Its fingerprint.
    """

    def __init__(self) -> None:
        self.machine = describe()
        self.fingerprint = fingerprint(self.machine)

    def differs(self, subject: Subject, facts: str | None) -> Iterator[str]:
        """The versions, and the machine, that are not those of a record.

        Args:
            subject: The record, and what it was made with here.
            facts: What the codec reported of itself here, as JSON; ``None`` if it did not run.
        """
        record, there = subject.record, part(subject.manifest, "machine")
        here = subject.ready.environment.label
        if record["environment"] != here:
            yield f"environment {record['environment']} there, {here} here"
        if facts is not None:
            yield from _differences("", _parsed(record["facts"]), json.loads(facts))
        if record["machine"] != self.fingerprint:
            yield f"machine {_name(record['machine'], there)} there, {self._named()} here"
        for group in ("packages", "harness"):
            known = part(there, group)
            if isinstance(known, Mapping):
                yield from _differences(f"{group}: ", known, self.machine[group])
        then = part(there, "system", "python")
        if isinstance(then, str) and then != (now := self.machine["system"]["python"]):
            yield f"Python {then} there, {now} here"

    def _named(self) -> str:
        return _name(self.fingerprint, self.machine)


def _name(identity: Any, machine: Any) -> str:
    cpu = part(machine, "hardware", "cpu")
    return f"{identity} ({cpu})" if isinstance(cpu, str) else str(identity)


def _differences(prefix: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*there, *here}):
        if there.get(key) != here.get(key):
            yield f"{prefix}{key} {there.get(key)} there, {here.get(key)} here"


def _parsed(facts: Any) -> Mapping[str, Any]:
    try:
        read = json.loads(facts)
    except (TypeError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
