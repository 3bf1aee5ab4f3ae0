"""The conformance test: does an adapter keep the contract of :mod:`harness.codec`?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from harness.catalog.codec_spec import CodecSpec, EnvironmentName
from harness.codec import WeightsMode
from harness.conformance.claims import Conformance, Test, Violation, told
from harness.environments import choose
from harness.environments.client import Limits, WorkerFailure
from harness.environments.resident import ResidentCodec
from harness.errors import HarnessError
from harness.plan.request import device_here, weights_digests
from harness.readiness.parts import lacking

LOAD_SECONDS = 1800.0


@dataclass(frozen=True)
class Finding:
    """What one test found. ``refused``: the codec says that it cannot code such an image."""

    name: str
    outcome: Literal["pass", "fail", "refused"]
    remark: str = ""


@dataclass(frozen=True)
class Conditions:
    """How the codec is run.

    Attributes:
        weights: Which weights a network runs with.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        threads: How many threads the codec is to use.
        call_seconds: The longest that one call may take; a damaged bitstream's too.
        memory_bytes: The most resident memory that a process of the codec may take.
        environment: Where it runs.
    """

    weights: WeightsMode = "pretrained"
    device: str = "cpu"
    threads: int = 1
    call_seconds: float = 60.0
    memory_bytes: int = 8 << 30
    environment: EnvironmentName = "auto"


def check_codec(spec: CodecSpec, conditions: Conditions, log: Path) -> Iterator[Finding]:
    """Run all tests on one codec, at the rate points whose weights are here; tell each finding.

    Without a whole round trip of a photograph there is nothing more to be tested, and it ends.

    Args:
        spec: The codec.
        conditions: How it is run.
        log: The file to which all that the codec prints is appended, tracebacks included.

    Raises:
        HarnessError: Something that the codec needs is not on this machine or not as it should be.
    """
    if reason := lacking(spec, conditions.environment, conditions.weights):
        problem, _, remedy = reason.partition("; ")
        raise HarnessError(f"codec '{spec.name}' is unavailable: {problem}", remedy)
    device = device_here(spec, conditions.device)
    if spec.network and conditions.weights == "pretrained" and spec.checkpoint is None:
        spec = replace(spec, rates=tuple(r for r in spec.rates if not spec.missing_weights(r)))
        for rate in spec.rates:
            weights_digests(spec, rate)
    limits = Limits(conditions.call_seconds, LOAD_SECONDS, conditions.memory_bytes)
    weights: WeightsMode = conditions.weights if spec.network else "none"
    with ExitStack() as stack:
        encoder, decoder = (
            stack.enter_context(
                ResidentCodec(
                    spec,
                    spec.rates[-1],
                    environment=choose(spec, conditions.environment),
                    weights=weights,
                    device=device,
                    threads=conditions.threads,
                    limits=limits,
                    log=log,
                )
            )
            for _ in range(2)
        )
        conformance = Conformance(spec, encoder, decoder, trained=weights != "random")
        for name, test in conformance.basics():
            finding = found(name, test)
            if finding.outcome != "pass":
                yield replace(finding, outcome="fail")  # a photograph may not be refused
                return
            yield finding
        for name, test in conformance.details():
            yield found(name, test)


def found(name: str, test: Test) -> Finding:
    """What a test found."""
    try:
        return Finding(name, "pass", test())
    except Violation as violation:
        return Finding(name, "fail", str(violation))
    except WorkerFailure as failure:
        if (failure.status, failure.reason) == ("unavailable", "image"):
            return Finding(name, "refused", failure.message)
        return Finding(name, "fail", told(failure))
