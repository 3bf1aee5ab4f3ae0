"""What a record was made with, found again on this machine, or why it cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.catalog.codec_spec import CodecSpec, EnvironmentName, RateSpec
from harness.catalog.codecs import load_catalog
from harness.environments.ready import Ready
from harness.errors import HarnessError, Lack
from harness.images.datasets import Dataset, SourceImage
from harness.images.resolution import POLICY, Resolution
from harness.plan.cases import Model, label, make_plan
from harness.plan.prepare import models_of
from harness.plan.request import Settings
from harness.verify.manifests import part, words
from harness.verify.originals import Originals, resolution_of

Record = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """A record, and everything that is needed to make it again.

    Attributes:
        record: The row of :func:`harness.load_results`.
        manifest: The manifest of the invocation that made it; empty if there is none.
        model: The codec with all that it needs.
        ready: The same, of the model.
        rate: The rate point.
        source: The photograph.
        resolution: The resolution at which it is coded.
    """

    record: Record
    manifest: Mapping[str, Any]
    model: Model
    ready: Ready
    rate: RateSpec
    source: SourceImage
    resolution: Resolution

    @property
    def worker(self) -> tuple[str, ...]:
        """What cases share that one worker can code: all but the image, and a network's rate."""
        codec = self.model.codec
        rate = self.rate.id if codec.network and not codec.progressive else ""
        who = (label(codec), str(codec.checkpoint), self.model.weights, rate)
        return (*who, self.model.device, str(self.record["threads"]))


class Subjects:
    """Finds what records were made with.

    Args:
        codecs: Codecs that the user named; ``name@checkpoint`` says where a checkpoint is.
        originals: The photographs.
        environment: Where codecs run whose manifests name an environment.
    """

    def __init__(
        self, codecs: Sequence[str], originals: Originals, environment: EnvironmentName
    ) -> None:
        self._named = tuple(codecs)
        self._originals = originals
        self._environment: EnvironmentName = environment
        self._catalog = load_catalog()
        self._models: dict[tuple[str, ...], list[Model]] = {}

    def of(
        self, record: Record, manifest: Mapping[str, Any], *, paths: bool = True
    ) -> Subject | Lack:
        """What a record was made with, or the first thing that is missing or differs here.

        Args:
            record: The row of :func:`harness.load_results`.
            manifest: The manifest of the invocation that made it.
            paths: Whether files and folders that the manifest names may be opened.
        """
        try:
            return self._of(record, manifest, paths=paths)
        except HarnessError as error:
            return error.lack

    def _of(self, record: Record, manifest: Mapping[str, Any], *, paths: bool) -> Subject | Lack:
        requested = words(manifest, "request", "codec") if paths else ()
        model = self._model(record, requested)
        if isinstance(model, Lack):
            return model
        if (lack := _other(record, manifest, model)) is not None:
            return lack
        if isinstance(model.ready, Lack):
            return model.ready
        datasets = words(manifest, "request", "dataset") if paths else ()
        source = self._originals.find(record, datasets)
        if isinstance(source, Lack):
            return source
        resolution = resolution_of(record, source)
        if isinstance(resolution, Lack):
            return resolution
        rate = model.codec.rate(str(record["rate"]))
        subject = Subject(record, manifest, model, model.ready, rate, source, resolution)
        return subject if _is_same_case(subject) else _unexplained(manifest)

    def _model(self, record: Record, requested: Sequence[str]) -> Model | Lack:
        """The codec at the record's rate point: with the recorded checkpoint, if that is here."""
        name = str(record["codec"])
        if "@" in name or (name not in self._catalog.codecs and name not in self._catalog.broken):
            return Lack(f"codec {name!r} is not in this version")
        given = [one for one in (*self._named, *requested) if one.startswith(f"{name}@")]
        first: Model | HarnessError | None = None
        for candidate in (name, *given):
            try:
                model = self._models_of(self._catalog.get(candidate), record)[0]
            except HarnessError as error:
                first = first or error
                continue
            if model.checkpoint == record["checkpoint"]:
                return model
            first = first or model
        return first.lack if isinstance(first, HarnessError) else first or Lack(f"no {name}")

    def _models_of(self, codec: CodecSpec, record: Record) -> list[Model]:
        settings = _settings(record, environment=self._environment)
        rate, device, threads = (str(record[key]) for key in ("rate", "device", "threads"))
        key = (label(codec), str(codec.checkpoint), rate, settings.weights, device, threads)
        if key not in self._models:
            self._models[key] = list(models_of(codec, [rate], settings))
        return self._models[key]


def _settings(record: Record, **more: Any) -> Settings:
    return Settings(
        device=str(record["device"]),
        threads=int(record["threads"]),
        weights="random" if record["weights"] == "random" else "pretrained",
        **more,
    )


def _other(record: Record, manifest: Mapping[str, Any], model: Model) -> Lack | None:
    """What decides numbers and is not here as it is recorded, or ``None``."""
    codec = model.codec
    options = json.dumps(
        {**codec.options, **codec.rate(str(record["rate"])).options}, sort_keys=True
    )
    if options != record["options"]:
        return Lack(f"recorded with options {record['options']}, this version has {options}")
    if model.device != record["device"]:
        return Lack(f"recorded on {record['device']}, here the codec runs on {model.device}")
    recorded = record["checkpoint"]
    if model.checkpoint != recorded and not isinstance(model.ready, Lack):
        here = model.checkpoint or "none"
        return Lack(
            f"recorded with checkpoint {recorded}, here is {here}",
            f"name the file: --codec {codec.name}@FILE",
        )
    name = str(recorded).partition(":")[0]
    codes = part(manifest, "codecs")
    code = part(codes, codec.name, "code") or part(codes, f"{codec.name}@{name}", "code")
    if isinstance(code, str) and code != model.code:
        return Lack(
            f"recorded with other adapter code: {code[:12]} there, {model.code[:12]} here",
            _that_version(manifest),
        )
    return None


def _is_same_case(subject: Subject) -> bool:
    """Whether everything that decides a case's numbers is as it is recorded."""
    record = subject.record
    images = Dataset(str(record["dataset"]), "", "", (subject.source,))
    plans = (
        make_plan([subject.model], [images], [subject.resolution], _settings(record, upsample=up))
        for up in (False, True)  # which the records do not say
    )
    return any(record["case"] in plan.ids for plan in plans)


def _unexplained(manifest: Mapping[str, Any]) -> Lack:
    policy = part(manifest, "resolution_policy")
    if isinstance(policy, str) and policy.partition(":")[0] != POLICY.partition(":")[0]:
        return Lack("this version derives resolutions by another policy", _that_version(manifest))
    return Lack(
        "another version of the harness made it, which identifies or measures cases differently",
        _that_version(manifest),
    )


def _that_version(manifest: Mapping[str, Any]) -> str:
    version = part(manifest, "machine", "harness", "version")
    revision = part(manifest, "machine", "harness", "revision")
    if not isinstance(version, str):
        return "verify it with the version that made it"
    at = f" at revision {revision[:12]}" if isinstance(revision, str) else ""
    return f"verify it with codec-harness {version}{at}"
