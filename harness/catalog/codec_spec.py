"""What a codec's manifest states.

No adapter is imported: a manifest is data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from harness.catalog.forms import Commit, InnerPath, Label, Name, Positive, Sha256
from harness.catalog.record import Rule
from harness.errors import UnknownName

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
        states: What the program prints when it is started without arguments, such as its version.
    """

    EITHER: ClassVar = ("module", "program")

    module: str = ""
    program: str = ""
    install: str
    also: tuple[str, ...] = ()
    variable: str = ""
    states: str = ""

    @property
    def kind(self) -> Literal["module", "program"]:
        """Which of the two it is."""
        return "module" if self.module else "program"

    @property
    def name(self) -> str:
        """The module's or the program's name."""
        return self.module or self.program


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
