"""Can a codec run here? Asked once, answered once: what it needs, or what is missing.

``run``, ``plan``, ``check``, ``list``, ``doctor``, ``encode``, ``decode`` and ``load_codec`` ask
:class:`Readiness` and nothing else. What it finds (environment, checkout, files and identity of
the weights) is passed on as :class:`Ready` and looked for nowhere else.
"""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.assets.checkout import checkout_lack, head, upstream_folder
from harness.assets.digests import damage, remembered_sha256
from harness.catalog.codec_spec import (
    CodecSpec,
    EnvironmentName,
    Extension,
    RateSpec,
)
from harness.codec import WeightsMode
from harness.environments import Inline, choose
from harness.environments.ready import Ready, Weights
from harness.errors import Lack
from harness.paths import find_upstream, find_weights
from harness.readiness.devices import codec_device_lack, device_lack, device_of
from harness.readiness.requirements import requirement_lack

__all__ = ["Need", "Readiness", "Ready", "Weights", "summary"]


@dataclass(frozen=True)
class Need:
    """One thing that a codec needs.

    Attributes:
        name: Its kind: ``environment``, ``checkout``, ``weights``, ...
        state: What was found, in a few words.
        lack: Why the codec cannot run with it as it is; ``None`` if it can.
    """

    name: str
    state: str
    lack: Lack | None = None


class Readiness:
    """Whether codecs can run here with the options that a user chose.

    Args:
        weights: ``pretrained``, or ``random`` for networks.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        environment: Where codecs whose manifests name an environment run.
    """

    def __init__(
        self,
        *,
        weights: WeightsMode = "pretrained",
        device: str = "cpu",
        environment: EnvironmentName = "auto",
    ) -> None:
        self._mode = weights
        self._device = device
        self._wanted: EnvironmentName = environment
        self._shared: dict[str, Lack | None] = {}
        self._weights: dict[tuple[str, Path | None, str], Weights | Lack] = {}

    def of(self, codec: CodecSpec, rates: Sequence[RateSpec]) -> Ready | Lack:
        """The codec with what it needs at all of ``rates``, or the first thing that is missing.

        Raises:
            UnknownName: ``HARNESS_ENVIRONMENT`` names no environment.
        """
        if (lack := self._shared_lack(codec)) is not None:
            return lack
        found = {}
        for rate in rates:
            weights = self.weights(codec, rate)
            if isinstance(weights, Lack):
                return weights
            found[rate.id] = weights
        return self._ready(codec, found)

    def at_any(self, codec: CodecSpec) -> Ready | Lack:
        """The same for the rate points whose weights are here; a lack if there are none.

        Weights that are here but differ from those that the manifest names are a lack, too.
        """
        if (lack := self._shared_lack(codec) or self._weights_lack(codec)) is not None:
            return lack
        found = {rate.id: self.weights(codec, rate) for rate in codec.rates}
        ready = {name: weights for name, weights in found.items() if isinstance(weights, Weights)}
        return self._ready(codec, ready)

    def weights(self, codec: CodecSpec, rate: RateSpec) -> Weights | Lack:
        """The weights of a rate point, located once, or why there are none that can be used."""
        key = (codec.name, codec.checkpoint, rate.id)
        if key not in self._weights:
            self._weights[key] = _locate(codec, rate, self.mode_of(codec))
        return self._weights[key]

    def mode_of(self, codec: CodecSpec) -> WeightsMode:
        """Which weights the codec runs with."""
        return self._mode if codec.network else "none"

    def needs(self, codec: CodecSpec) -> Iterator[Need]:
        """What a codec needs, in the order in which a user should get it.

        Raises:
            UnknownName: ``HARNESS_ENVIRONMENT`` names no environment.
        """
        yield from self._shared_needs(codec)
        if codec.network and self._mode == "pretrained":
            yield self._weights_need(codec)

    def _shared_lack(self, codec: CodecSpec) -> Lack | None:
        """The first thing that keeps all rate points of a codec from running."""
        if codec.name not in self._shared:
            device = device_of(codec, self._device)
            lacks = (need.lack for need in self._shared_needs(codec))
            self._shared[codec.name] = (
                codec_device_lack(codec, device)
                or device_lack(device)
                or next(filter(None, lacks), None)
            )
        return self._shared[codec.name]

    def _shared_needs(self, codec: CodecSpec) -> Iterator[Need]:
        environment = choose(codec, self._wanted)
        inline = isinstance(environment, Inline)
        if (lack := environment.lack()) is not None:
            yield Need("environment", "no", lack)
        elif codec.environment is not None:
            yield Need("environment", "inline" if inline else environment.label)
        # Modules must be where the codec's code runs; programs run from anywhere.
        asked = (r for r in codec.requires if inline or r.kind == "program")
        if (lack := next(filter(None, map(requirement_lack, asked)), None)) is not None:
            yield Need("requirements", "no", lack)
        if codec.upstream is not None:
            yield from _upstream_needs(codec)

    def _ready(self, codec: CodecSpec, weights: dict[str, Weights]) -> Ready:
        checkout = find_upstream(codec.folder.name) if codec.upstream else None
        return Ready(
            codec,
            choose(codec, self._wanted),
            device_of(codec, self._device),
            checkout,
            weights,
        )

    def _weights_need(self, codec: CodecSpec) -> Need:
        lack = self._weights_lack(codec)
        if codec.checkpoint is not None:
            return Need("weights", codec.checkpoint.name, lack)
        found = [self.weights(codec, rate) for rate in codec.rates]
        here = sum(isinstance(weights, Weights) for weights in found)
        return Need("weights", f"of {here} of {len(found)} rate points", lack)

    def _weights_lack(self, codec: CodecSpec) -> Lack | None:
        """The lack of a rate point with damaged weights, or of the first if none has weights."""
        found = [(rate, self.weights(codec, rate)) for rate in codec.rates]
        lacks = [(rate, weights) for rate, weights in found if isinstance(weights, Lack)]
        damaged = (lack for rate, lack in lacks if _missing(codec, rate) is None)
        return next(damaged, lacks[0][1] if len(lacks) == len(found) else None)


def summary(needs: Iterable[Need]) -> str:
    """All needs in one line."""
    return ", ".join(f"{need.name} {need.state}" for need in needs)


def extension_lack(codec: CodecSpec, extension: Extension) -> Lack | None:
    """A lack if an extension is not built, or ``None``."""
    folder = upstream_folder(codec)
    if folder is None:
        return None
    python = codec.environment.python if codec.environment else ""
    versions = {python, f"{sys.version_info.major}.{sys.version_info.minor}"}
    abis = [f"cpython-{version.replace('.', '')}" for version in versions]
    if any(next(folder.glob(extension.file.format(abi=abi)), None) for abi in abis):
        return None
    command = f"harness env shell {codec.name} -- sh -c {shlex.quote(extension.build)}"
    return Lack(
        f"upstream's {extension.title} is not built in {folder}",
        f"run: {command if codec.environment else extension.build}",
    )


def _upstream_needs(codec: CodecSpec) -> Iterator[Need]:
    assert codec.upstream is not None  # noqa: S101 - the caller's condition
    commit = head(find_upstream(codec.folder.name))
    lack = checkout_lack(codec)
    state = commit[:12] if commit else "no"
    if lack is not None and commit:
        pinned = commit == codec.upstream.commit
        state += ", changed" if pinned else ", which is not the pinned one"
    if lack is not None or commit:
        yield Need("checkout", state, lack)
    if lack is None or (commit == codec.upstream.commit):
        for extension in codec.extensions:
            missing = extension_lack(codec, extension)
            optional = "" if extension.required else " (optional)"
            state = f"not built{optional}" if missing else "built"
            yield Need(extension.title, state, missing if extension.required else None)


def _locate(codec: CodecSpec, rate: RateSpec, mode: WeightsMode) -> Weights | Lack:
    """Find the weights of a rate point, and check that they are those that the manifest names."""
    files = {w.file: find_weights(codec.folder, w.file) for w in codec.weights_of(rate)}
    if codec.checkpoint is not None:
        files["checkpoint"] = codec.checkpoint
    if mode != "pretrained":
        return Weights(mode, files, "random" if codec.network else "")
    if codec.checkpoint is not None:
        digest = remembered_sha256(codec.checkpoint)
        return Weights(mode, files, f"{codec.checkpoint.name}:{digest[:16]}")
    if (lack := _missing(codec, rate)) is not None:
        return lack
    digests = []
    for weights in codec.weights_of(rate):
        if (lack := damage(files[weights.file], weights)) is not None:
            return lack
        digests.append(remembered_sha256(files[weights.file]))
    if not digests:
        return Weights(mode, files, "")
    one = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    return Weights(mode, files, f"{codec.weights_of(rate)[0].file}:{one[:16]}")


def _missing(codec: CodecSpec, rate: RateSpec) -> Lack | None:
    """Which weights file of a rate point is missing, or ``None``."""
    for weights in codec.weights_of(rate):
        path = find_weights(codec.folder, weights.file)
        if path.is_file():
            continue
        problem = f"weights {weights.file} not found"
        if weights.withdrawn:
            problem += f": its publisher has withdrawn it ({weights.withdrawn})"
        if weights.sources:
            way = f"run 'harness weights fetch {codec.name}', place the file at {path}"
        elif weights.page:
            way = f"get it from {weights.page} and place it at {path}"
        else:
            way = f"name another as '{codec.name}@FILE', place the file at {path}"
        return Lack(problem, f"{way}, or use --weights random")
    return None
