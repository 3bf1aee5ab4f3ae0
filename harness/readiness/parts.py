"""How far a codec is from running here: each thing that it needs, and the next step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.catalog.checkout import changed_files, head
from harness.catalog.codec_spec import CodecSpec, EnvironmentName
from harness.environments import choose
from harness.errors import HarnessError
from harness.paths import find_upstream


@dataclass(frozen=True)
class Part:
    """One thing that a codec needs.

    Attributes:
        name: What it is: ``environment``, ``checkout``, ``weights``, ...
        state: What was seen, in a word or a few.
        lacking: Why the codec does not run with it as it is, with the remedy after a semicolon;
            ``None`` where it does.
    """

    name: str
    state: str
    lacking: str | None = None


def parts(
    spec: CodecSpec, wanted: EnvironmentName = "auto", weights_mode: str = "pretrained"
) -> Iterator[Part]:
    """What a codec needs, in the order in which a user gets it.

    Args:
        spec: The codec.
        wanted: The environment that is asked for.
        weights_mode: ``pretrained`` or ``random``, which needs no weights.

    Raises:
        UnknownName: ``HARNESS_ENVIRONMENT`` names no environment.
    """
    environment = choose(spec, wanted)
    if reason := environment.missing():
        yield Part("environment" if spec.environment else "requirements", "no", reason)
    elif spec.environment is not None:
        yield Part("environment", environment.label)
    if spec.environment is not None and (reason := spec.missing_requirement()):
        yield Part("requirements", "no", reason)
    if spec.upstream is not None:
        yield from _upstream(spec)
    if spec.network and weights_mode == "pretrained":
        yield _weights(spec)


def summary(found: Iterable[Part]) -> str:
    """All parts in one line."""
    return ", ".join(f"{part.name} {part.state}" for part in found)


def lacking(
    spec: CodecSpec, wanted: EnvironmentName = "auto", weights_mode: str = "pretrained"
) -> str | None:
    """The first thing that keeps a codec from running, with the remedy, or ``None``."""
    reasons = (part.lacking for part in parts(spec, wanted, weights_mode))
    return next(filter(None, reasons), None)


def changed_checkout(spec: CodecSpec) -> str | None:
    """Which file of upstream's checkout is not as its authors committed it, with the remedy.

    ``None`` where there is no such file, and where git cannot tell.
    """
    folder = find_upstream(spec.folder.name)
    if spec.upstream is None or not folder.is_dir():
        return None
    with contextlib.suppress(HarnessError, OSError):
        if changed := changed_files(folder):
            return f"{folder / changed[0]} was changed; run: git -C {folder} checkout -- ."
    return None


def _upstream(spec: CodecSpec) -> Iterator[Part]:
    commit = head(find_upstream(spec.folder.name))
    here = commit[:12] if commit else "no"
    if reason := spec.missing_checkout():
        yield Part("checkout", f"{here}, which is not the pinned one" if commit else here, reason)
        return
    if reason := changed_checkout(spec):
        yield Part("checkout", f"{here}, changed", reason)
    elif commit:
        yield Part("checkout", here)
    for extension in spec.extensions:
        reason = spec.missing_extension(extension)
        optional = "" if extension.required else " (optional)"
        state = f"not built{optional}" if reason else "built"
        yield Part(extension.title, state, reason if extension.required else None)


def _weights(spec: CodecSpec) -> Part:
    if spec.checkpoint is not None:
        return Part("weights", spec.checkpoint.name)
    reasons = [spec.missing_weights(rate) for rate in spec.rates]
    here = reasons.count(None)
    state = f"of {here} of {len(reasons)} rate points"
    return Part("weights", state, None if here else reasons[0])
