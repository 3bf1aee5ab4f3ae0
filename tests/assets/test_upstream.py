"""Checkouts of authors' repositories: real git, from a repository on this machine."""

import subprocess

import pytest
from lacking import lack_of

from harness.assets.checkout import head, upstream_folder
from harness.assets.upstream import fetch_upstream
from harness.catalog.codec_manifest import read_codec
from harness.errors import HarnessError, ManifestError

MANIFEST = """
name = "theirs"
title = "Theirs"
family = "learned"
licence = "none"
entry = "codec:Theirs"

[upstream]
repository = "{repository}"
commit = "{commit}"
subfolder = "src"

[[rate]]
id = "only"
"""


def git(folder, *words):
    identity = ["-c", "user.name=Author", "-c", "user.email=author@example.org"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def repository(tmp_path):
    """Two commits; the adapter is for the first."""
    folder = tmp_path / "official"
    (folder / "src").mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for text in ("first", "second"):
        (folder / "src" / "model.py").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", text)
    return folder


@pytest.fixture
def spec(tmp_path, repository, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for name in ("HARNESS_OFFLINE", "HARNESS_UPSTREAM"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "adapters" / "theirs"
    folder.mkdir(parents=True)
    commit = git(repository, "rev-parse", "HEAD~1")
    text = MANIFEST.format(repository=repository.as_uri(), commit=commit)
    (folder / "codec.toml").write_text(text)
    return read_codec(folder / "codec.toml")[0]


def test_a_codec_without_its_checkout_is_unavailable_and_says_how_to_get_it(spec):
    assert "run 'harness upstream fetch theirs'" in lack_of(spec)


def test_the_pinned_commit_is_fetched_and_not_the_newest(spec):
    folder = fetch_upstream(spec)
    assert head(folder) == spec.upstream.commit
    assert (upstream_folder(spec) / "model.py").read_text() == "first"
    assert lack_of(spec) is None


def test_what_is_there_is_not_fetched_again(spec, repository):
    folder = fetch_upstream(spec)
    repository.rename(repository.with_name("gone"))
    assert fetch_upstream(spec) == folder


def test_a_changed_file_is_named(spec):
    folder = fetch_upstream(spec)
    (folder / "src" / "model.py").write_text("better")
    with pytest.raises(HarnessError, match=r"src/model\.py was changed"):
        fetch_upstream(spec)


def test_an_extension_built_in_the_checkout_is_not_a_change(spec):
    folder = fetch_upstream(spec)
    (folder / "src" / "coder.so").write_bytes(b"built")
    assert fetch_upstream(spec) == folder


def test_a_commit_that_is_not_there_leaves_nothing_behind(spec, tmp_path):
    path = spec.folder / "codec.toml"
    path.write_text(path.read_text().replace(spec.upstream.commit, "0" * 40))
    with pytest.raises(HarnessError, match=r"commit 000000000000 of .* could not be fetched"):
        fetch_upstream(read_codec(path)[0])
    assert list((tmp_path / "cache" / "upstream").iterdir()) == []


def test_a_checkout_of_ones_own_is_used_and_its_commit_compared(
    spec, repository, tmp_path, monkeypatch
):
    own = tmp_path / "mine" / "theirs"
    git(tmp_path, "clone", "--quiet", str(repository), str(own))
    monkeypatch.setenv("HARNESS_UPSTREAM", str(tmp_path / "mine"))
    assert f"is at commit {git(own, 'rev-parse', 'HEAD')[:12]}" in lack_of(spec)
    git(own, "checkout", "--quiet", spec.upstream.commit)
    assert lack_of(spec) is None
    assert upstream_folder(spec) == own / "src"


def test_a_folder_that_git_does_not_know_cannot_be_verified(spec, tmp_path, monkeypatch):
    (tmp_path / "mine" / "theirs").mkdir(parents=True)
    monkeypatch.setenv("HARNESS_UPSTREAM", str(tmp_path / "mine"))
    assert "is not a git checkout" in lack_of(spec)


def test_nothing_is_fetched_offline(spec, monkeypatch):
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    with pytest.raises(HarnessError, match="HARNESS_OFFLINE"):
        fetch_upstream(spec)


def test_a_branch_is_not_a_commit(spec):
    path = spec.folder / "codec.toml"
    path.write_text(path.read_text().replace(spec.upstream.commit, "main"))
    with pytest.raises(ManifestError, match="40 hexadecimal digits"):
        read_codec(path)
