"""What a codec's manifest states, and whether that codec can run here.

No adapter is imported: a manifest is data.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from harness.catalog.checkout import head, wrong_checkout
from harness.catalog.forms import Commit, InnerPath, Label, Name, Positive, Sha256
from harness.catalog.record import Rule
from harness.codec import find_program
from harness.errors import UnknownName
from harness.paths import find_upstream, find_weights

NO_CODE = {".md", ".safetensors", ".pt", ".pth", ".ckpt", ".onnx"}
"""Endings of files in an adapter's folder that are no part of its code."""

EXTERNAL_ENTRY = "harness.codec.external:External"


@dataclass(frozen=True)
class RateSpec:
    """One ``[[rate]]``: an operating point of the codec.

    Attributes:
        id: Unique within the codec, such as ``q50``.
        options: The codec's own options for this rate point, laid over those of the codec.
        nominal_bpp: The bitrate to expect, in bits per pixel; for readers, never a result.
        weights: The weights files that it needs; all of the codec's when left out.
    """

    id: Label
    options: Mapping[str, Any] = field(default_factory=dict)
    nominal_bpp: Annotated[float, Rule("be at least 0", minimum=0)] | None = None
    weights: tuple[InnerPath, ...] | None = None


@dataclass(frozen=True)
class WeightsFile:
    """One ``[[weights]]``: a file that a network needs.

    Attributes:
        file: The file's name, which may hold folders.
        sha256: Hash of the file, 64 hexadecimal digits; another file is refused.
        size: Size of the file, in bytes.
        sources: Where to download it from, in the order to try: an address, ``hf:``, ``zenodo:``
            or ``gdrive:``.
        page: Where a person gets it in a browser, if no source gives the file itself.
        withdrawn: Why, and since when, the publisher no longer gives it; empty while it does.
    """

    file: InnerPath
    sha256: Sha256 | None = None
    size: Positive | None = None
    sources: tuple[str, ...] = ()
    page: str = ""
    withdrawn: str = ""


@dataclass(frozen=True)
class Upstream:
    """``[upstream]``: the authors' repository, at the commit that the adapter was written for.

    Attributes:
        repository: Its official address.
        commit: The commit, 40 hexadecimal digits.
        subfolder: The part of the checkout that holds the codec; the whole when left out.
        required: Whether the codec needs the checkout; if not, what was built from it is enough.
    """

    repository: str
    commit: Commit
    subfolder: InnerPath = ""
    required: bool = True


@dataclass(frozen=True)
class Extension:
    """One ``[[extension]]``: what users build once in upstream's checkout, as its authors say.

    Attributes:
        title: What it is, such as ``range coder``.
        file: Pattern of the built file's path in the part of the checkout that holds the codec;
            ``{abi}`` stands for the version of Python that it was built for: ``cpython-311``.
        build: The command that builds it, in that folder.
        required: Whether the codec needs it; if not, the codec is faster with it.
    """

    title: str
    file: Annotated[InnerPath, Rule("hold no braces but {abi}", pattern=r"([^{}]|\{abi\})*")]
    build: str
    required: bool = True

    def built(self, folder: Path, python: str) -> bool:
        """Whether it is there, for a version of Python such as ``3.11``, or for this one."""
        versions = {python, f"{sys.version_info.major}.{sys.version_info.minor}"}
        abis = [f"cpython-{version.replace('.', '')}" for version in versions]
        return any(next(folder.glob(self.file.format(abi=abi)), None) for abi in abis)


EnvironmentName = Literal["auto", "inline", "venv", "docker"]
"""What a user asks for; see :func:`harness.environments.choose`."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """``[environment]``: where the adapter's code runs when it needs more than the harness does.

    Attributes:
        name: The recipe's name.
        python: The version of Python, such as ``3.11``.
        recipe: The recipe's folder, which holds ``requirements.txt`` and ``Dockerfile``.
    """

    name: str
    python: str
    recipe: Path


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One ``[[requires]]``: a module or a program, and how to get it.

    Attributes:
        module: A Python module that must be importable.
        program: A program that must be on the PATH.
        install: What to do where it is missing.
        also: Other names that the program may have.
        variable: The environment variable in which users may name the program's folder.
    """

    EITHER: ClassVar = ("module", "program")

    module: str = ""
    program: str = ""
    install: str
    also: tuple[str, ...] = ()
    variable: str = ""

    @property
    def kind(self) -> Literal["module", "program"]:
        """Which of the two it is."""
        return "module" if self.module else "program"

    @property
    def name(self) -> str:
        """The module's or the program's name."""
        return self.module or self.program

    def missing(self) -> str | None:
        """Why the requirement is not met on this machine, or ``None`` when it is."""
        if self.kind == "module":
            found = importlib.util.find_spec(self.name.partition(".")[0]) is not None
        else:
            found = find_program((self.name, *self.also), self.variable) is not None
        chosen = os.environ.get(self.variable)
        where = f" in {chosen}, which {self.variable} names" if chosen else ""
        return None if found else f"{self.kind} '{self.name}' not found{where}; {self.install}"


@dataclass(frozen=True)
class Constraints:
    """``[constraints]``: the images that a codec takes; others are recorded, and not tried.

    Attributes:
        max_pixels: The largest image, height times width in pixels; any when left out.
        devices: Where the codec runs. One that runs on the CPU alone does so in any run.
    """

    max_pixels: Positive | None = None
    devices: Annotated[
        tuple[Literal["cpu", "cuda"], ...], Rule("name at least one device", minimum=1)
    ] = ("cpu", "cuda")


@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class CodecFacts:
    """What a manifest states of a codec in the very words of its keys.

    Attributes:
        name: What people type: lower case, with hyphens.
        title: What tables and figures print.
        family: The kind of codec, such as ``classical``, ``autoregressive`` or ``generative``.
        paper: Where the codec is described: a standard, an arXiv number or an address.
        licence: SPDX expression of the code's licence.
        weights_licence: SPDX expression, or words, for the licence of the weights.
        options: The codec's own options, for all rate points.
        weights: The weights files, where the codec is a network.
        requires: Modules and programs that must be installed.
        constraints: The images that the codec takes.
        network: Whether it has weights, so that ``--weights`` and ``name@checkpoint`` apply.
        progressive: Whether one bitstream holds all rate points as prefixes.
        in_all: Whether ``--codec all`` includes it.
        upstream: The authors' repository, where the adapter runs their code.
    """

    name: Name
    title: str
    family: str
    paper: str = ""
    licence: str
    weights_licence: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[WeightsFile, ...] = ()
    requires: tuple[Requirement, ...] = ()
    constraints: Constraints = Constraints()
    network: bool = False
    progressive: bool = False
    in_all: bool = True
    upstream: Upstream | None = None


@dataclass(frozen=True, kw_only=True)
class CodecSpec(CodecFacts):
    """A codec, or one variant of it: its facts, and what follows from where its manifest lies.

    Attributes:
        folder: The adapter's folder, an absolute path.
        entry: ``file:Class`` in the folder, or :data:`EXTERNAL_ENTRY`.
        rates: The rate points, in order of bitrate, the lowest first.
        timing_scope: ``call`` (the calls alone) or ``process`` (external programs, start included).
        environment: Where it runs; ``None`` for the harness's own interpreter.
        extensions: What has to be built in upstream's checkout.
        checkpoint: The weights file that the user named in place of the manifest's.
    """

    folder: Path
    entry: str
    rates: tuple[RateSpec, ...]
    timing_scope: Literal["call", "process"]
    environment: EnvironmentSpec | None = None
    extensions: tuple[Extension, ...] = ()
    checkpoint: Path | None = None

    @functools.cached_property
    def code_digest(self) -> str:
        """sha256 of the adapter's code and manifest, and of the environment's recipe.

        Weights that lie in the adapter's folder have an identity of their own.
        """
        digest = hashlib.sha256()
        folders = [self.folder]
        if self.environment is not None and not self.environment.recipe.is_relative_to(self.folder):
            folders.append(self.environment.recipe)
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                apart = path.suffix in NO_CODE or "__pycache__" in path.parts
                if path.is_file() and not apart:
                    digest.update(str(path.relative_to(folder)).encode() + b"\0")
                    digest.update(path.read_bytes())
        return digest.hexdigest()

    @property
    def upstream_folder(self) -> Path | None:
        """Where the part of upstream's checkout that the codec needs lies, or would lie."""
        if self.upstream is None:
            return None
        return find_upstream(self.folder.name) / self.upstream.subfolder

    def rate(self, rate_id: str) -> RateSpec:
        """The rate point of that id.

        Raises:
            UnknownName: There is none; the message names the nearest.
        """
        for spec in self.rates:
            if spec.id == rate_id:
                return spec
        raise UnknownName(f"rate point of codec '{self.name}'", rate_id, [r.id for r in self.rates])

    def weights_of(self, rate: RateSpec) -> tuple[WeightsFile, ...]:
        """The weights files that a rate point needs."""
        return tuple(w for w in self.weights if rate.weights is None or w.file in rate.weights)

    def weights_paths(self, rate: RateSpec) -> dict[str, Path]:
        """Where each weights file of a rate point lies, or would lie, on this machine."""
        paths = {w.file: find_weights(self.folder, w.file) for w in self.weights_of(rate)}
        if self.checkpoint is not None:
            paths["checkpoint"] = self.checkpoint
        return paths

    def unavailable(
        self, weights_mode: str = "pretrained", rate: RateSpec | None = None
    ) -> str | None:
        """Why this codec cannot run here, with the remedy, or ``None`` when it can.

        Args:
            weights_mode: ``pretrained`` or ``random``.
            rate: The rate point to run; ``None`` asks whether any of them can.
        """
        if reason := self.missing_requirement() or self.missing_checkout():
            return reason
        for extension in self.extensions:
            if extension.required and (reason := self.missing_extension(extension)):
                return reason
        if not self.network or weights_mode != "pretrained" or self.checkpoint is not None:
            return None
        reasons = [self.missing_weights(r) for r in ([rate] if rate else self.rates)]
        return None if None in reasons else reasons[0]

    def missing_requirement(self) -> str | None:
        """Which module or program is not here, with the remedy, or ``None``.

        Modules of a codec with an environment are not asked for: they are looked for where its
        code runs.
        """
        asked = (r for r in self.requires if self.environment is None or r.kind == "program")
        return next(filter(None, (requirement.missing() for requirement in asked)), None)

    def missing_checkout(self) -> str | None:
        """Why upstream's checkout cannot be used, with the remedy, or ``None``."""
        if self.upstream is None:
            return None
        folder, commit = find_upstream(self.folder.name), self.upstream.commit
        if not folder.is_dir() and not self.upstream.required:
            return None
        if (reason := wrong_checkout(folder, commit)) is None:
            return None
        fetch = f"run 'harness upstream fetch {self.name}'"
        if head(folder) is not None:
            git = f"git -C {folder}"
            return f"{reason}; run: {git} fetch origin {commit} && {git} checkout {commit}"
        return f"{reason}; {f'delete it, and {fetch}' if folder.is_dir() else fetch}"

    def missing_extension(self, extension: Extension) -> str | None:
        """That an extension is not built, with the command that builds it, or ``None``."""
        folder = self.upstream_folder
        python = self.environment.python if self.environment else ""
        if folder is None or extension.built(folder, python):
            return None
        reason = f"upstream's {extension.title} is not built in {folder}"
        command = f"harness env shell {self.name} -- sh -c {shlex.quote(extension.build)}"
        return f"{reason}; run: {command if self.environment else extension.build}"

    def missing_weights(self, rate: RateSpec) -> str | None:
        """Which weights file of a rate point is not here, with the remedy, or ``None``."""
        for weights in self.weights_of(rate):
            path = find_weights(self.folder, weights.file)
            if path.is_file():
                continue
            reason = f"weights {weights.file} not found"
            if weights.withdrawn:
                reason += f": its publisher has withdrawn it ({weights.withdrawn})"
            if weights.sources:
                way = f"run 'harness weights fetch {self.name}', place the file at {path}"
            elif weights.page:
                way = f"get it from {weights.page} and place it at {path}"
            else:
                way = f"name another as '{self.name}@FILE', place the file at {path}"
            return f"{reason}; {way}, or use --weights random"
        return None
