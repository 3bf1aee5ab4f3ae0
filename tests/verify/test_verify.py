"""``harness verify`` finds what is not as it is recorded, and says what differs and where."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from PIL import Image

import harness
from harness.catalog.metrics import METRICS
from harness.cli.verify import command
from harness.store import schema
from harness.store.shards import list_shards, read_shard, write_shard
from harness.verify.sample import choose, photograph

FIXTURES = Path(__file__).parents[1] / "fixtures"


def verify(results, *arguments):
    arguments = [results, "--seed", 1, "--format", "json", *arguments]
    answer = CliRunner().invoke(command, [str(a) for a in arguments])
    return answer.exit_code, json.loads(answer.stdout) if answer.stdout else answer.stderr


def change(run, kind, change_row):
    """Rewrite the shards of a run with rows changed in place, as a forger would: whole and new."""
    columns = {"cases": schema.CASES, "scores": schema.SCORES}[kind]
    for path in list_shards(run / kind):
        rows = read_shard(path, columns).to_pylist()
        for row in rows:
            change_row(row)
        path.unlink()
        write_shard(run / kind, pa.Table.from_pylist(rows, columns))


def told(case):
    """By name, the fields of a case that are not equal."""
    return {field["name"]: field for field in case["fields"] if field["outcome"] != "equal"}


def cases_of(found):
    return {(case["codec"], case["image"]): case for case in found["cases"]}


def which(run):
    """The codec and the image of each case's id."""
    frame = harness.load_results(run)
    return dict(zip(frame["case"], zip(frame["codec"], frame["image"], strict=True), strict=True))


def verify_classical(run, crops, *arguments):
    return verify(run, "--codec", "jpeg,webp", "--dataset", crops, *arguments)


@pytest.fixture(scope="module")
def forged(measured, crops, tmp_path_factory):
    """Each case with something else changed, and all as if from another machine."""
    run = shutil.copytree(measured, tmp_path_factory.mktemp("forged") / "run")
    names = which(run)

    def forge(row):
        row.update(environment="inline:pillow@1.0", machine="abc")
        match names[row["case"]]:
            case "jpeg", "crop0.png":
                row["bitstream_sha256"] = "0" * 64
            case "jpeg", "crop1.png":
                row["bytes"] -= 7
            case "webp", "crop0.png":
                row["picture_sha256"] = "0" * 64

    def worsen(row):
        if names[row["case"]] == ("webp", "crop1.png"):
            row["value"] -= 0.01

    change(run, "cases", forge)
    change(run, "scores", worsen)
    junit = run.parent / "junit.xml"
    code, found = verify_classical(run, crops, "--junit", junit)
    assert code == 1
    assert found["counts"]["different"] == 4
    return cases_of(found), ET.fromstring(junit.read_bytes())  # noqa: S314 - our own


def test_what_was_measured_here_is_equal_in_bytes_pictures_and_metrics(measured, crops):
    code, found = verify(measured, "--dataset", crops)
    ended = found["counts"]
    assert (code, ended["equal"] + ended["equal within the stated tolerance"]) == (0, 5)
    coding = {"bitstream_sha256", "bytes", "height", "width", "bpp", "picture_sha256"}
    for case in found["cases"]:
        assert {f["name"] for f in case["fields"]} == coding | {"psnr", "ms_ssim"}


def test_a_folder_of_photographs_is_found_where_the_run_had_it(measured):
    code, found = verify(measured, "--sample", 1, "--codec", "webp", "--metric", "psnr")
    assert (code, found["counts"]["equal"]) == (0, 1)


def test_a_changed_digest_of_a_bitstream_is_told(forged):
    assert told(forged[0]["jpeg", "crop0.png"]).keys() == {"bitstream_sha256"}


def test_a_changed_length_is_told_with_the_difference(forged):
    assert told(forged[0]["jpeg", "crop1.png"])["bytes"]["difference"] == 7


def test_a_changed_picture_is_told(forged):
    assert told(forged[0]["webp", "crop0.png"]).keys() == {"picture_sha256"}


def test_a_changed_metric_is_told_by_how_much_and_under_which_tolerance(forged):
    found = told(forged[0]["webp", "crop1.png"])
    assert found.keys() == {"psnr", "ms_ssim"}
    for name, field in found.items():
        assert field["difference"] == pytest.approx(0.01)
        assert field["tolerance"] == METRICS[name].tolerance


def test_other_versions_and_another_machine_are_told_beside_a_difference(forged):
    elsewhere = " ".join(forged[0]["jpeg", "crop0.png"]["elsewhere"])
    assert "environment inline:pillow@1.0 there, inline:" in elsewhere
    assert "machine abc" in elsewhere


def test_junit_holds_a_failure_for_each_case_that_differs(forged):
    root = forged[1]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "4", "0")
    assert "bitstream_sha256: recorded 000000000000..., found " in ET.tostring(root, "unicode")


def test_another_version_alone_and_a_difference_under_the_tolerance_are_no_difference(run, crops):
    def barely(row):
        row["value"] += METRICS[row["metric"]].tolerance / 3

    change(run, "scores", barely)
    change(run, "cases", lambda row: row.update(environment="inline:pillow@1.0", machine="abc"))
    code, found = verify_classical(run, crops)
    assert code == 0
    assert found["counts"]["equal within the stated tolerance"] == 4
    assert all(case["elsewhere"] == [] for case in found["cases"])


def test_the_picture_of_an_older_record_is_the_kept_one_if_there_is_one(run, crops):
    change(run, "cases", lambda row: row.update(picture_sha256=None, reconstruction_sha256=None))
    shutil.rmtree(run / "reconstructions" / "webp")
    (path,) = (run / "reconstructions" / "jpeg").rglob("crop1.png.*")
    pixels = np.array(Image.open(path))
    pixels[3, 5, 1] ^= 2
    Image.fromarray(pixels).save(path)
    code, found = verify_classical(run, crops, "--metric", "psnr")
    cases = cases_of(found)
    assert code == 1
    assert told(cases["jpeg", "crop0.png"]) == {}
    assert "by 2 of 255 steps at most" in told(cases["jpeg", "crop1.png"])["picture_sha256"]["note"]
    names = {field["name"] for field in cases["webp", "crop0.png"]["fields"]}
    assert names == {"bitstream_sha256", "bytes", "height", "width", "bpp", "psnr"}


def test_a_value_under_another_card_is_not_compared(run, crops):
    change(run, "scores", lambda row: row.update(card="0" * 12))
    code, found = verify(run, "--codec", "jpeg", "--dataset", crops, "--sample", 1)
    assert code == 2
    assert "another identity card" in told(found["cases"][0])["psnr"]["note"]


NOT_HERE = {
    "an image": ({"image_sha256": "0" * 64}, "photograph crop"),
    "a codec": ({"codec": "jpeg-9000"}, "is not in this version"),
    "a rate point": ({"rate": "q21"}, "unknown rate point"),
    "options": ({"options": "{}"}, "recorded with options"),
    "a checkpoint": ({"checkpoint": "other.pt:0"}, "recorded with checkpoint other.pt:0"),
    "a device": ({"device": "cuda:99"}, "cuda"),
    "a version": ({"threads": 2}, "another version of the harness"),
}


@pytest.mark.parametrize("what", NOT_HERE)
def test_what_is_not_here_is_told_with_the_reason(run, crops, what):
    changed, reason = NOT_HERE[what]
    change(run, "cases", lambda row: row.update(changed))
    code, found = verify(run, "--dataset", crops, "--sample", 1, "--metric", "psnr")
    assert (code, found["counts"]["not possible here"]) == (2, 1)
    assert reason in found["cases"][0]["reason"]


def test_a_device_that_is_not_there_is_told(run, crops):
    change(run, "cases", lambda row: row.update(device="cuda:99"))
    code, found = verify(run, "--codec", "progic-tiny", "--dataset", crops)
    assert code == 2
    assert "device 'cuda:99' is not there" in found["cases"][0]["reason"]


def test_records_of_other_adapter_code_are_not_compared_and_say_so(run, crops):
    from harness.store.documents import read_json, write_json

    for path in (run / "runs").glob("*.json"):
        manifest = read_json(path)
        for codec in manifest["codecs"].values():
            codec["code"] = "0" * 64
        write_json(path, manifest)
    code, found = verify(run, "--codec", "jpeg", "--dataset", crops)
    assert code == 2
    assert "other adapter code: 000000000000 there" in found["cases"][0]["reason"]
    assert "verify it with codec-harness" in found["cases"][0]["reason"]


def test_records_of_0_1_0_are_not_compared_and_say_why():
    code, found = verify(FIXTURES / "results-0.1.0", "--sample", 3)
    assert code == 2
    assert all("other adapter code" in case["reason"] for case in found["cases"])


def test_the_seed_chooses_the_cases_and_codecs_take_turns(measured):
    records = harness.load_results(measured).to_dict("records")
    first = choose(records, 3, 7)
    assert [r["case"] for r in first] == [r["case"] for r in choose(records[::-1], 3, 7)]
    assert len({r["codec"] for r in first}) == 3
    assert {r["case"] for seed in range(60) for r in choose(records, 1, seed)} == {
        r["case"] for r in records
    }
    assert len({photograph(r) for r in choose(records, 2, 7)}) == 1
    assert len(choose(records, 100, 7)) == len(records)


def test_the_table_shows_what_differs_and_the_seed_that_repeats_it(run, crops):
    change(run, "cases", lambda row: row.update(bitstream_sha256="0" * 64))
    arguments = [run, "--seed", 5, "--codec", "jpeg", "--dataset", crops, "--metric", "psnr"]
    answer = CliRunner().invoke(command, [str(a) for a in arguments])
    assert answer.exit_code == 1
    assert "jpeg   q20   crop0.png  different  equal    equal" in answer.stdout
    assert "2 cases, seed 5: 0 equal" in answer.stdout
    assert "times are not compared" in answer.stdout


def test_nothing_that_records_name_is_opened_for_a_bundle(measured, tmp_path):
    """Its manifests name the folder of photographs, which is there; someone else's may name any."""
    from harness.store.bundle import pack

    pack({"run": measured}, tmp_path / "b.zip")
    code, found = verify(tmp_path / "b.zip", "--sample", 1, "--codec", "jpeg", "--no-download")
    assert code == 2
    assert "is not here" in found["cases"][0]["reason"]


def test_names_of_records_are_never_paths(run):
    change(run, "cases", lambda row: row.update(dataset="/etc", image_sha256="0" * 64))
    _, found = verify(run, "--sample", 1, "--no-download")
    assert found["cases"][0]["reason"].startswith("photograph crop")
    assert "/etc has no image" not in found["cases"][0]["reason"]


def test_there_is_nothing_to_verify_without_finished_cases(run):
    change(run, "cases", lambda row: row.update(status="failed"))
    answer = CliRunner().invoke(command, [str(run)])
    assert "no case is recorded ok" in str(answer.exception)
