"""The JSON Schemas say of a manifest what the code says that reads it."""

import json
import re
import tomllib
from pathlib import Path

import fastjsonschema
import pytest

from harness.catalog import schema
from harness.catalog.codec_manifest import read_codec
from harness.catalog.datasets import read_dataset
from harness.errors import ManifestError

ROOT = Path(__file__).parents[2]
BROKEN = ROOT / "tests" / "fixtures" / "adapters" / "broken_manifest" / "codec.toml"
CODECS = [*ROOT.glob("adapters/*/codec.toml"), *ROOT.glob("tests/fixtures/adapters/*/codec.toml")]
MANIFESTS = [
    *(("codec", path) for path in sorted(CODECS) if path != BROKEN),
    *(("dataset", path) for path in sorted(ROOT.glob("datasets/*.toml"))),
]
READ = {"codec": read_codec, "dataset": read_dataset}

VTM = (ROOT / "adapters" / "vtm" / "codec.toml").read_text(encoding="utf-8")
OSCAR = (ROOT / "adapters" / "oscar" / "codec.toml").read_text(encoding="utf-8")
KODAK = (ROOT / "datasets" / "kodak.toml").read_text(encoding="utf-8")
TECNICK = (ROOT / "datasets" / "tecnick.toml").read_text(encoding="utf-8")


def accepts(name, text):
    """Whether the schema in the repository accepts a manifest."""
    document = json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    try:
        fastjsonschema.validate(document, tomllib.loads(text))
    except fastjsonschema.JsonSchemaValueException:
        return False
    return True


def test_the_schemas_in_the_repository_are_those_of_the_code(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["schema", str(tmp_path)])
    schema.main()
    written = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "schemas").iterdir()}
    assert kept == written, "run python -m harness.catalog.schema"


@pytest.mark.parametrize(
    ("name", "path"), [pytest.param(n, p, id=str(p.relative_to(ROOT))) for n, p in MANIFESTS]
)
def test_every_manifest_is_valid(name, path):
    assert accepts(name, path.read_text(encoding="utf-8"))
    READ[name](path)


def test_the_manifest_of_the_guide_is_valid(tmp_path):
    guide = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    files, archive = re.findall(r"^```toml\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    path = tmp_path / "flowers.toml"
    for text in (files, files.partition("[[file]]")[0] + archive):
        assert accepts("dataset", text)
        path.write_text(text, encoding="utf-8")
        assert read_dataset(path).count == 2


def test_a_manifest_with_an_unknown_key_is_not_valid():
    assert not accepts("codec", BROKEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "text", "old", "new"),
    [
        ("codec", VTM, "family =", "famly ="),
        ("codec", VTM, 'name = "vtm"', 'name = "VTM"'),
        ("codec", VTM, 'title = "VTM-23.10"', "title = 23.10"),
        ("codec", VTM, 'id = "qp52"', 'id = "../qp52"'),
        ("codec", VTM, "nominal_bpp = 0.020", "nominal_bpp = -0.020"),
        ("codec", VTM, 'program = "EncoderApp"', 'module = "x"\nprogram = "EncoderApp"'),
        ("codec", VTM, 'program = "EncoderApp"\n', ""),
        ("codec", VTM, 'entry = "codec:VtmIntra"\n', ""),
        ("codec", VTM, 'commit = "820', 'commit = "v820'),
        ("codec", VTM, "required = false", 'required = "false"'),
        ("codec", VTM, 'devices = ["cpu"]', "devices = []"),
        ("codec", VTM, 'devices = ["cpu"]', 'devices = ["gpu"]'),
        ("codec", VTM, "[variants.vtm-444]", "[variants.vtm_444]"),
        ("codec", VTM, 'title = "VTM-23.10 4:4:4"\n', ""),
        ("codec", OSCAR, 'file = "oscar.pkl"', 'file = "../oscar.pkl"'),
        ("codec", OSCAR, 'file = "oscar.pkl"', 'file = "/oscar.pkl"'),
        ("dataset", KODAK, 'name = "kodim01.png"', 'name = "../kodim01.png"'),
        ("dataset", KODAK, 'sha256 = "a', 'sha256 = "'),
        ("dataset", KODAK, "images = 24", "images = 0"),
        ("dataset", KODAK, "images = 24", 'images = "24"'),
        ("dataset", KODAK, 'url = "http', 'package = "skimage/x"\nurl = "http'),
        ("dataset", TECNICK, "[archive]", "[archives]"),
        ("dataset", TECNICK, "url =", "uri ="),
    ],
)
def test_what_the_harness_refuses_the_schema_refuses(tmp_path, name, text, old, new):
    wrong = text.replace(old, new, 1)
    assert wrong != text
    path = tmp_path / {VTM: "codec", OSCAR: "codec", KODAK: "kodak", TECNICK: "tecnick"}[text]
    path = path.with_suffix(".toml")
    path.write_text(wrong, encoding="utf-8")
    with pytest.raises(ManifestError):
        READ[name](path)
    assert not accepts(name, wrong)
