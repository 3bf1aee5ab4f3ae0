"""A case's identity holds what decides its numbers, and no more: each kind of file edited."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.catalog.codec_manifest import read_codec
from harness.readiness import identity
from harness.readiness.identity import code_digest, code_files

ROOT = Path(__file__).parents[2]

MANIFEST = """
name = "theirs"
title = "Theirs"
family = "learned"
paper = "arXiv 0000.00000"
licence = "MIT"
entry = "codec:Theirs"
network = true

[upstream]
repository = "https://example.org/theirs"
commit = "0123456789012345678901234567890123456789"

[environment]
name = "theirs"

[[weights]]
file = "theirs.pt"

[[requires]]
module = "torch"
install = "pip install torch"

[[rate]]
id = "low"
options = { quality = 1 }

[[rate]]
id = "high"
options = { quality = 2 }
"""

CODEC = '''"""The codec."""
from harness.codec import Codec
from harness.codec.bitstream import varint

from . import tables
'''


@pytest.fixture
def folder(tmp_path):
    """An adapter with every kind of file."""
    folder = tmp_path / "theirs"
    for name in ("container", "tools", "parts"):
        (folder / name).mkdir(parents=True)
    (folder / "codec.toml").write_text(MANIFEST)
    (folder / "codec.py").write_text(CODEC)
    (folder / "__main__.py").write_text("")
    (folder / "tables.py").write_text("TABLE = 1\n")
    (folder / "parts" / "levels.json").write_text("[1, 2]")
    (folder / "theirs.pt").write_bytes(b"weights")
    (folder / "README.md").write_text("What it is.")
    (folder / "tools" / "train.py").write_text("steps = 1\n")
    (folder / "container" / "requirements.txt").write_text("numpy==2.0\n")
    (folder / "container" / "Dockerfile").write_text("FROM base\n")
    return folder


def digest(folder):
    return code_digest(read_codec(folder / "codec.toml")[0])


def edit(path):
    path.write_bytes(path.read_bytes() + b"\n# edited\n")


@pytest.mark.parametrize("file", ["codec.py", "tables.py", "parts/levels.json"])
def test_an_edit_of_what_a_worker_loads_makes_other_cases(folder, file):
    before = digest(folder)
    edit(folder / file)
    assert digest(folder) != before


@pytest.mark.parametrize(
    "file",
    [
        "README.md",
        "__main__.py",
        "codec.toml",
        "theirs.pt",  # its sha256 is the checkpoint's identity
        "tools/train.py",
        "container/Dockerfile",
    ],
)
def test_an_edit_of_what_no_worker_loads_changes_no_identity(folder, file):
    before = digest(folder)
    edit(folder / file)
    assert digest(folder) == before


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ('title = "Theirs"', 'title = "Their codec"', False),
        ('family = "learned"', 'family = "generative"', False),
        ('paper = "arXiv 0000.00000"', 'paper = "arXiv 1111.11111"', False),
        ('licence = "MIT"', 'licence = "none"', False),
        ("https://example.org/theirs", "https://example.org/moved", False),
        ('install = "pip install torch"', 'install = "conda install torch"', False),
        ('id = "high"', 'id = "best"', False),  # a rate point's id and options stand beside it
        ('entry = "codec:Theirs"', 'entry = "codec:Other"', True),
        ("network = true", "network = false", True),
        ("network = true", "network = true\nprogressive = true", True),
        ("network = true", "network = true\ntimes_processes = true", True),
        ("0123456789012345678901234567890123456789", "f" * 40, True),
        ('https://example.org/theirs"', 'https://example.org/theirs"\nsubfolder = "a"', True),
    ],
)
def test_of_a_manifest_only_what_decides_numbers_counts(folder, before, after, changes):
    known = digest(folder)
    assert before in MANIFEST
    (folder / "codec.toml").write_text(MANIFEST.replace(before, after))
    assert (digest(folder) != known) is changes


def test_the_pinned_packages_count(folder):
    before = digest(folder)
    (folder / "container" / "requirements.txt").write_text("numpy==2.1\n")
    assert digest(folder) != before


def test_the_version_of_a_helper_counts_for_those_who_import_it(folder, tmp_path, monkeypatch):
    kit = tmp_path / "kit"
    shutil.copytree(identity.KIT, kit)
    monkeypatch.setattr(identity, "KIT", kit)
    before = digest(folder)
    source = (kit / "bitstream.py").read_text()
    (kit / "bitstream.py").write_text(source + "\n# another comment\n")
    assert digest(folder) == before
    (kit / "bitstream.py").write_text(source.replace("VERSION = 1", "VERSION = 2"))
    raised = digest(folder)
    assert raised != before
    (folder / "codec.py").write_text(
        CODEC.replace("from harness.codec.bitstream import varint", "")
    )
    without = digest(folder)
    (kit / "bitstream.py").write_text(source)
    assert digest(folder) == without


LOADED = """
import sys
from pathlib import Path
from harness.worker.adapter import codec_class
folder, entry = sys.argv[1:]
codec_class(Path(folder), entry)
for module in list(sys.modules.values()):
    file = getattr(module, "__file__", None)
    if file and Path(file).is_relative_to(folder):
        print(file)
"""


@pytest.mark.parametrize(
    "adapter", sorted(path.parent.name for path in ROOT.glob("adapters/*/codec.toml"))
)
def test_all_files_of_an_adapter_that_a_worker_loads_count(adapter):
    spec = read_codec(ROOT / "adapters" / adapter / "codec.toml")[0]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(spec.folder), spec.entry],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "Unavailable" in done.stderr:
        pytest.skip(f"NOT CHECKED: {done.stderr.splitlines()[-1]}")
    loaded = {Path(line) for line in done.stdout.splitlines()}
    assert loaded, done.stderr
    assert loaded <= set(code_files(spec.folder))
