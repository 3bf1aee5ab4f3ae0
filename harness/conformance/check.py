"""The conformance test: does an adapter keep the contract of :mod:`harness.codec`?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from harness.catalog.codec_spec import CodecSpec, EnvironmentName
from harness.codec import WeightsMode
from harness.conformance.claims import Conformance, Test, Violation
from harness.environments import resident
from harness.environments.client import Limits, WorkerFailure
from harness.environments.resident import ResidentCodec
from harness.errors import HarnessError, Lack, Reason, Status
from harness.plan.request import Request
from harness.readiness.devices import require_device
from harness.readiness.ready import Readiness


@dataclass(frozen=True)
class Finding:
    """The result of one test. ``refused``: the codec says that it cannot code such an image."""

    name: str
    outcome: Literal["pass", "fail", "refused"]
    remark: str = ""


@dataclass(frozen=True)
class Conditions:
    """How the codec is run.

    Attributes:
        weights: Which weights a network runs with.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        threads: The number of threads that the codec should use.
        call_seconds: The time limit of one call, in seconds; of damaged bitstreams, too.
        memory_bytes: The limit on the resident memory of a process of the codec, in bytes.
        environment: Where it runs.
    """

    weights: WeightsMode = "pretrained"
    device: str = "cpu"
    threads: int = 1
    call_seconds: float = Request.timeout
    memory_bytes: int = 8 << 30
    environment: EnvironmentName = "auto"


def check_codec(spec: CodecSpec, conditions: Conditions, log: Path) -> Iterator[Finding]:
    """Run all tests on one codec, at the rate points whose weights are here; yield each finding.

    If the codec cannot encode and decode a photograph, the remaining tests are not run.

    Args:
        spec: The codec.
        conditions: How it is run.
        log: The file to which everything that the codec prints is appended, with tracebacks.

    Raises:
        HarnessError: Something that the codec needs is missing or is not as it should be.
    """
    require_device(conditions.device)
    readiness = Readiness(
        weights=conditions.weights, device=conditions.device, environment=conditions.environment
    )
    ready = readiness.at_any(spec)
    if isinstance(ready, Lack):
        raise HarnessError.of(ready, f"codec '{spec.name}' is unavailable")
    spec = replace(spec, rates=tuple(rate for rate in spec.rates if rate.id in ready.weights))
    limits = Limits.of(conditions.call_seconds, conditions.memory_bytes)
    run = resident.WorkerSettings(conditions.threads, limits, log)
    with ExitStack() as stack:
        encoder, decoder = (
            stack.enter_context(ResidentCodec(ready, spec.rates[-1], run)) for _ in range(2)
        )
        trained = readiness.mode_of(spec) != "random"
        conformance = Conformance(spec, encoder, decoder, trained=trained)
        for name, test in conformance.basics():
            finding = found(name, test)
            if finding.outcome != "pass":
                yield replace(finding, outcome="fail")  # a photograph may not be refused
                return
            yield finding
        for name, test in conformance.details():
            yield found(name, test)


def found(name: str, test: Test) -> Finding:
    """The result of one test."""
    try:
        return Finding(name, "pass", test())
    except Violation as violation:
        return Finding(name, "fail", str(violation))
    except WorkerFailure as failure:
        if (failure.status, failure.reason) == (Status.UNAVAILABLE, Reason.IMAGE):
            return Finding(name, "refused", str(failure.lack))
        return Finding(name, "fail", str(failure))
