"""A digest of the code that decides a codec's numbers, and of nothing else.

What counts: the files in the adapter's folder that a worker may load; what the manifest states
about how they run (entry, capabilities, upstream's commit, the environment's pinned packages); the
versions of the harness's modules that make bytes or pixels for the adapter. What does not count:
titles, licences and addresses in the manifest, READMEs, ``tools/`` (training, figures, searches,
cards), and weights, which have their own identity.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from harness import codec as kit
from harness.catalog.codec_spec import CodecSpec
from harness.environments.recipe import venv_tag

NO_CODE = {".md", ".safetensors", ".pt", ".pth", ".ckpt", ".onnx"}
"""Endings of files in an adapter's folder that are not code."""

APART = {"codec.toml", "codec.schema.json", "__main__.py"}
"""Files in an adapter's folder that no worker loads."""

FOLDERS_APART = {"tools", "container", "__pycache__"}

KIT = Path(kit.__file__).parent
VERSION = re.compile(r"^VERSION\b.*= (\d+)", re.MULTILINE)


def code_digest(codec: CodecSpec) -> str:
    """sha256 of what decides the codec's numbers, apart from weights and options."""
    stated = {
        "entry": codec.entry,
        "network": codec.network,
        "progressive": codec.progressive,
        "timing_scope": codec.timing_scope,
        "upstream": [codec.upstream.commit, codec.upstream.subfolder] if codec.upstream else None,
        "packages": venv_tag(codec.environment) if codec.environment else None,
        "files": _files_digest(codec.folder),
        "kit": _kit_versions(codec.folder, codec.entry),
    }
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


def code_files(folder: Path) -> Iterator[Path]:
    """The files in an adapter's folder that count, in the order of their names."""
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        apart = path.suffix in NO_CODE or str(place) in APART
        if path.is_file() and not apart and FOLDERS_APART.isdisjoint(place.parts):
            yield path


def _files_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in code_files(folder):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _kit_versions(folder: Path, entry: str) -> dict[str, int]:
    """The versions of the :mod:`harness.codec` modules that an adapter uses."""
    named = {entry.partition(":")[0]}
    for path in code_files(folder):
        if path.suffix == ".py":
            named |= _imported(path.read_text(encoding="utf-8"))
    versions = {}
    for name in sorted(name for name in named if name.startswith(f"{kit.__name__}.")):
        source = KIT / f"{name.removeprefix(f'{kit.__name__}.')}.py"
        if source.is_file() and (found := VERSION.search(source.read_text(encoding="utf-8"))):
            versions[name] = int(found[1])
    return versions


def _imported(source: str) -> set[str]:
    """The full names of everything that a module imports, at any place in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names
