"""What codes stands apart from an adapter's tools: edits of tools must never change a number."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.worker.adapter import PACKAGE

BY_NAME = (".tools", f"{PACKAGE}.tools")
ADAPTERS = Path(__file__).parents[2] / "adapters"
FOLDERS = sorted(path.parent for path in ADAPTERS.glob("*/codec.toml"))


def coding_modules(folder: Path) -> Iterator[Path]:
    """The modules that a worker may load: neither tools nor the folder's own command line."""
    for path in sorted(folder.rglob("*.py")):
        within = path.relative_to(folder)
        if within.parts[0] != "tools" and within.name != "__main__.py":
            yield path


def tools_imported(source: str) -> list[str]:
    """The imports of ``source`` that name a package ``tools`` of its own folder."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            names = [f"{node.module or ''}.{alias.name}" for alias in node.names]
            found += [name for name in names if "tools" in name.split(".")]
        elif isinstance(node, ast.Constant) and str(node.value).startswith(BY_NAME):
            found.append(str(node.value))
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_nothing_that_codes_imports_the_tools(folder):
    paths = list(coding_modules(folder))
    assert paths or not list(folder.glob("*.py"))
    told = {path.relative_to(ADAPTERS): tools_imported(path.read_text()) for path in paths}
    assert not {path: names for path, names in told.items() if names}


@pytest.mark.parametrize(
    "source",
    ["from . import tools", "from .tools import save", "from ..tools.save import write",
     "import importlib\nimportlib.import_module('.tools.save', __package__)",
     "def late():\n    from .tools.training import data"],
)  # fmt: skip
def test_an_import_of_the_tools_is_found(source):
    assert tools_imported(source)
    assert not tools_imported("import tools\nfrom .toolset import save\nfrom . import codec")
