"""Manifests are read strictly, and one that is wrong harms no other."""

import os
import re
from pathlib import Path

import pytest
from lacking import lack_of

from harness.catalog.codec_manifest import read_codec
from harness.catalog.codecs import load_catalog, select
from harness.errors import HarnessError, ManifestError, UnknownName

MINIMAL = """
name = "mine"
title = "Mine"
family = "learned"
licence = "MIT"
entry = "codec:Mine"

[[rate]]
id = "low"
"""


def read(folder, text):
    (folder / "codec.toml").write_text(text)
    return read_codec(folder / "codec.toml")


def test_the_codecs_that_come_along_are_called_by_their_names():
    names = {"jpeg", "webp", "avif", "jpeg-xl", "jpeg2000", "heic"}
    assert names <= set(load_catalog().codecs)
    assert all(len(load_catalog().get(name).rates) == 8 for name in names)
    assert load_catalog().get("JPEG_XL").name == "jpeg-xl"


def test_all_means_every_codec_but_those_asked_for_by_name():
    catalog = load_catalog()
    specs, by_name = select(catalog, ["all"])
    assert not by_name
    assert "jpeg" in {spec.name for spec in specs}
    assert "jpeg-444" not in {spec.name for spec in specs}
    assert [spec.name for spec in select(catalog, ["jpeg-444", "jpeg_444"])[0]] == ["jpeg-444"]


EXTERNAL = """
name = "mine"
title = "Mine"
family = "external"
licence = "MIT"
rate = [{ id = "low" }]

[external]
encode = ["encoder", "{input}", "{output}"]
decode = ["decoder", "{input}", "{output}"]
"""
VARIANT = MINIMAL + '[variants.mine-444]\ntitle = "Mine 4:4:4"\n'
UPSTREAM = f'[upstream]\nrepository = "mine.git"\ncommit = "{"0" * 40}"\n'


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (MINIMAL.replace("licence", "license"), "key 'licence' is missing"),
        (
            MINIMAL.replace("licence", "license"),
            r"unknown key 'license', and .*; did you mean 'licence'\?",
        ),
        (MINIMAL + "option = {}", r"unknown key 'option'.*did you mean 'options'"),
        (MINIMAL.replace('"Mine"', "3"), "'title' must be of type str"),
        (MINIMAL.replace('"Mine"', "3"), "'title' must be of type string, not 3"),
        (MINIMAL + "[constraints]\nmax_pixels = true", "must be of type integer, not True"),
        (MINIMAL.replace("[[rate]]", "[rate]"), r"'rate' must be written \[\[rate\]\]"),
        (MINIMAL.partition("[[rate]]")[0], r"\[\[rate\]\] is missing"),
        (MINIMAL.partition("[[rate]]")[0] + "rate = []", r"hold at least one \[\[rate\]\]"),
        (MINIMAL + '[[rate]]\nid = "low"', "same id"),
        (MINIMAL + "[[rate]]\nid = 2", r"\[\[rate\]\] number 2: 'id' must be of type string"),
        (VARIANT + 'rate = [{ di = "low" }]', r"\[variants\.mine-444\] \[\[rate\]\] number 1: "),
        (MINIMAL + "[constraints]\nmax_pixel = 3", r"did you mean 'max_pixels'"),
        (MINIMAL + "[constraints]\nmax_pixels = 0", "'max_pixels' must be at least 1, not 0"),
        (MINIMAL + '[constraints]\ndevices = ["gpu"]', "must be 'cpu' or 'cuda', not 'gpu'"),
        (MINIMAL + '[[requires]]\ninstall = "x"', "either 'module' or 'program'"),
        (MINIMAL + EXTERNAL.partition("\n\n")[2], r"give either 'entry' or \[external\]"),
        (MINIMAL.replace("codec:Mine", "codec.py"), "'entry' must be 'file:Class', not 'codec.py'"),
        (EXTERNAL.replace('"encoder", "{input}", "{output}"', ""), "'encode' must name a program"),
        (EXTERNAL + 'image_format = "bmp"', "'image_format' must be 'png' or 'ppm', not 'bmp'"),
        (
            MINIMAL + UPSTREAM + '[[extension]]\ntitle = "x"\nfile = "{api}.so"\nbuild = "make"',
            "abi",
        ),
        ("name = ", "codec.toml"),
    ],
)
def test_an_invalid_manifest_is_reported_with_file_and_key(tmp_path, wrong, message):
    with pytest.raises(ManifestError, match=message) as caught:
        read(tmp_path, wrong)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ["My_Codec", "..", "a/b", "/a", "", "a@b", "a b", "a" * 300])
def test_a_codec_s_name_has_the_form_that_people_type(tmp_path, name):
    for text in (MINIMAL.replace('"mine"', f'"{name}"'), VARIANT.replace("mine-444", f'"{name}"')):
        with pytest.raises(ManifestError, match="must be lower case, with hyphens") as caught:
            read(tmp_path, text)
        assert f"not {name!r}" in str(caught.value)


PATHS = (
    *("../x", "a/../../x", "/etc/x", "..", ".", "", "a//b", "a\\\\b", "a\\nb"),
    *("a" * 201, "ö" * 61, "a/" * 10 + "a"),
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("file", MINIMAL + '[[weights]]\nfile = "PATH"'),
        ("weights", MINIMAL + 'weights = ["PATH"]'),
        ("subfolder", MINIMAL + UPSTREAM + 'subfolder = "PATH"'),
        (
            "file",
            MINIMAL + UPSTREAM + '[[extension]]\ntitle = "x"\nbuild = "make"\nfile = "PATH"',
        ),
    ],
)
def test_no_path_in_a_manifest_leaves_its_folder(tmp_path, key, text, path):
    with pytest.raises(ManifestError, match=f"'{key}' must be a path inside its folder"):
        read(tmp_path, text.replace("PATH", path))


@pytest.mark.parametrize("rate", ["..", "../low", "low/high", "/low", "", "low high"])
def test_a_rate_point_s_id_cannot_name_another_folder(tmp_path, rate):
    with pytest.raises(ManifestError, match="'id' must begin with a letter or digit"):
        read(tmp_path, MINIMAL.replace('"low"', f'"{rate}"'))


def test_an_environment_s_name_cannot_lead_to_another_recipe(tmp_path):
    with pytest.raises(ManifestError, match="'name' must begin with a letter or digit"):
        read(tmp_path, MINIMAL + '[environment]\nname = "../mine"')


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a = " + b"[" * 100_000, "recursion"),
        (b"a = " + b"9" * 5000, "limit"),
        (b"'' = 1", "unknown key ''"),
        (b'a = "\xff"', "utf-8"),
        (b"#" * (1 << 21), "more than 1048576 bytes"),
        (b'"\\u001b[31m" = 1', r"unknown key '\\x1b\[31m'"),
        ("a pipe", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        ("a folder", "not a regular file"),
        ("codec.toml", "Too many levels of symbolic links"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_manifest_is_refused_and_affects_no_other(
    content, reason, tmp_path, monkeypatch
):
    (tmp_path / "strange").mkdir()
    path = tmp_path / "strange" / "codec.toml"
    match content:
        case bytes():
            path.write_bytes(content)
        case "a pipe":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
        case _:
            path.symlink_to(content)
    monkeypatch.setenv("HARNESS_ADAPTERS", str(tmp_path))
    catalog = load_catalog()
    assert "jpeg" in catalog.codecs
    assert re.search(reason, str(catalog.broken["strange"]))
    assert str(catalog.broken["strange"]).isprintable()


def test_the_name_of_a_variant_is_escaped_in_its_error(tmp_path):
    with pytest.raises(ManifestError, match=r"'variants\.\\x1b\[2J'") as caught:
        read(tmp_path, VARIANT.replace("mine-444", '"\\u001b[2J"'))
    assert str(caught.value).isprintable()


def test_a_text_that_a_terminal_would_obey_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="'title' must not hold control characters") as caught:
        read(tmp_path, MINIMAL.replace('title = "', 'title = "\\u001b[2J'))
    assert str(caught.value).isprintable()


def test_a_broken_manifest_breaks_only_its_own_codec():
    catalog = load_catalog()
    assert "broken-manifest" in catalog.broken
    assert "well-behaved" in catalog.codecs
    with pytest.raises(ManifestError, match="license"):
        catalog.get("broken-manifest")


def test_a_name_that_is_taken_is_refused(tmp_path, monkeypatch):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "codec.toml").write_text(MINIMAL)
    monkeypatch.setenv("HARNESS_ADAPTERS", str(tmp_path))
    catalog = load_catalog()
    assert catalog.get("mine").folder == tmp_path / "one"
    assert "taken by" in str(catalog.broken["two"])


def test_an_unknown_codec_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean jpeg-xl"):
        load_catalog().get("jpegxl")


def test_what_is_missing_is_named_with_the_remedy(tmp_path):
    needs = MINIMAL + '[[requires]]\nmodule = "no_such_module"\ninstall = "pip install it"'
    assert lack_of(read(tmp_path, needs)[0]) == "module 'no_such_module' not found; pip install it"
    needs = MINIMAL + '[[requires]]\nprogram = "no-such-program"\ninstall = "apt install it"'
    assert "program 'no-such-program' not found; apt install it" in lack_of(
        read(tmp_path, needs)[0]
    )


def test_a_program_may_have_other_names_and_lie_where_a_variable_says(tmp_path, monkeypatch):
    needs = '[[requires]]\nprogram = "Coder"\nalso = ["CoderStatic"]\nvariable = "MY_CODER"\n'
    spec = read(tmp_path, MINIMAL + needs + 'install = "build it"')[0]
    assert lack_of(spec) == "program 'Coder' not found; build it"
    program = tmp_path / "built" / "bin" / "CoderStatic"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    for folder in (program.parent, program.parent.parent):
        monkeypatch.setenv("MY_CODER", str(folder))
        assert lack_of(spec) is None
    program.chmod(0o644)
    assert f"not found in {folder}, which MY_CODER names; build it" in lack_of(spec)
    monkeypatch.setenv("PATH", str(program.parent))
    program.chmod(0o755)
    monkeypatch.setenv("MY_CODER", str(tmp_path))
    assert "not found in" in lack_of(spec), "the folder that was named is the one that counts"


def test_a_checkout_that_is_not_required_must_be_the_right_one_where_it_is(tmp_path, monkeypatch):
    pinned = f'[upstream]\nrepository = "mine.git"\ncommit = "{"0" * 40}"\n'
    monkeypatch.setenv("HARNESS_UPSTREAM", str(tmp_path / "checkouts"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    required, optional = (
        read(tmp_path, MINIMAL + pinned + extra)[0] for extra in ("", "required = false")
    )
    assert "not found; run 'harness upstream fetch mine'" in lack_of(required)
    assert lack_of(optional) is None
    git = tmp_path / "checkouts" / tmp_path.name / ".git"
    git.mkdir(parents=True)
    (git / "HEAD").write_text("1" * 40)
    assert "is at commit 111111111111, not 000000000000" in lack_of(optional)


def test_a_checkpoint_takes_the_place_of_the_manifest_s_weights(tmp_path):
    path = tmp_path / "step1.pt"
    path.write_bytes(b"weights")
    spec = load_catalog().get(f"tiny-network@{path}")
    assert spec.checkpoint == path
    assert lack_of(spec) is None
    with pytest.raises(HarnessError, match="does not exist"):
        load_catalog().get(f"tiny-network@{tmp_path}/none.pt")
    with pytest.raises(HarnessError, match="has no weights"):
        load_catalog().get(f"jpeg@{path}")


def test_weights_are_found_where_the_user_says(tmp_path, monkeypatch):
    assert "not found" in lack_of(load_catalog().get("tiny-network"))
    (tmp_path / "tiny_network.pt").write_bytes(b"weights")
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    assert lack_of(load_catalog().get("tiny-network")) is None


def test_adapters_hold_no_package_at_the_top():
    root = Path(__file__).parents[2]
    assert not (root / "adapters" / "__init__.py").exists()
    assert not (root / "datasets" / "__init__.py").exists()


def test_an_installed_package_brings_a_codec_without_being_imported(tmp_path, monkeypatch):
    package = tmp_path / "plugged" / "adapter"
    package.mkdir(parents=True)
    (tmp_path / "plugged" / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "codec.toml").write_text(MINIMAL.replace('"mine"', '"plugged"'))
    info = tmp_path / "plugged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness.codecs]\nplugged = plugged.adapter\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_catalog().get("plugged").folder == package


def test_an_entry_point_to_nothing_is_reported_and_affects_no_other(tmp_path, monkeypatch):
    info = tmp_path / "gone-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gone\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness.codecs]\ngone = no_such_package\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    catalog = load_catalog()
    assert "jpeg" in catalog.codecs
    assert "no_such_package" in str(catalog.broken["gone"])
