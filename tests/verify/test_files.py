"""``harness verify --files`` finds what is not as it was written, by digests alone."""

import json
import shutil
from xml.etree import ElementTree as ET

from click.testing import CliRunner

from harness.cli.verify import command
from harness.store.bundle import pack
from harness.verify.files import NOT_COVERED


def check(results, *arguments):
    arguments = [results, "--files", "--format", "json", *arguments]
    answer = CliRunner().invoke(command, [str(a) for a in arguments])
    return answer.exit_code, json.loads(answer.stdout)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_an_undisturbed_folder_is_intact_in_every_kind(measured):
    code, found = check(measured)
    assert (code, found["not_intact"]) == (0, [])
    kinds = {kind["kind"]: kind for kind in found["kinds"]}
    assert kinds.keys() == {
        "store.json", "runs", "cards", "cases", "scores", "bitstreams", "reconstructions",
    }  # fmt: skip
    for name, kind in kinds.items():
        files = list((measured / name).rglob("*.*")) or [measured / name]
        assert (kind["files"], kind["intact"]) == (len(files), len(files))
        assert kind["bytes"] == sum(path.stat().st_size for path in files)


def test_damaged_and_missing_files_are_named_and_counted(run, tmp_path):
    bitstream = next((run / "bitstreams").rglob("*.bin"))
    flip(bitstream)
    picture = next((run / "reconstructions").rglob("*.png"))
    picture.unlink()
    junit = tmp_path / "junit.xml"
    code, found = check(run, "--junit", junit)
    assert code == 1
    assert {(f["file"], f["verdict"]) for f in found["not_intact"]} == {
        (f"run/{bitstream.relative_to(run)}", "damaged"),
        (f"run/{picture.relative_to(run)}", "missing"),
    }
    assert ET.fromstring(junit.read_bytes()).get("failures") == "2"  # noqa: S314 - our own


def test_the_table_says_what_is_not_covered(measured):
    answer = CliRunner().invoke(command, [str(measured), "--files"])
    assert answer.exit_code == 0
    assert NOT_COVERED in answer.stdout


def test_what_has_no_digest_is_unverified_and_no_failure(run):
    shutil.copy(next((run / "bitstreams").rglob("*.bin")), run / "bitstreams" / "another.bin")
    code, found = check(run)
    assert code == 0
    assert [f["verdict"] for f in found["not_intact"]] == ["unverified"]


def test_a_bundle_misses_only_what_it_was_to_bring(measured, tmp_path):
    pack({"run": measured}, tmp_path / "records.zip")
    pack({"run": measured}, tmp_path / "all.zip", bitstreams=True)
    for name, kinds in (("records.zip", 5), ("all.zip", 6)):
        code, found = check(tmp_path / name)
        assert (code, found["not_intact"], len(found["kinds"])) == (0, [], kinds)
