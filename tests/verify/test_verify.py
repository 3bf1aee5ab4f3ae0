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


def jpeg(run, crops, *arguments):
    """What is found about the two cases of JPEG."""
    return verify(run, "--codec", "jpeg", "--dataset", crops, *arguments)


def change(run, kind, change_row):
    """Rewrite the shards of a run with rows changed in place, as a forger would: whole and new."""
    columns = {"cases": schema.CASES, "scores": schema.SCORES}[kind]
    for path in list_shards(run / kind):
        rows = read_shard(path, columns).to_pylist()
        for row in rows:
            change_row(row)
        path.unlink()
        write_shard(run / kind, pa.Table.from_pylist(rows, columns))


def fields(found):
    """By name, the fields of all cases that are not equal."""
    told = [f for case in found["cases"] for f in case["fields"] if f["outcome"] != "equal"]
    return {field["name"]: field for field in told}


def test_what_was_measured_here_is_equal_in_bytes_pictures_and_metrics(measured, crops):
    code, found = verify(measured, "--dataset", crops)
    assert (
        code,
        found["counts"]["equal"] + found["counts"]["equal within the stated tolerance"],
    ) == (0, 8)
    names = {
        "bitstream_sha256",
        "bytes",
        "height",
        "width",
        "bpp",
        "picture_sha256",
        "psnr",
        "ms_ssim",
    }
    assert all({f["name"] for f in case["fields"]} == names for case in found["cases"])


def test_a_folder_of_photographs_is_found_where_the_run_had_it(measured):
    code, found = verify(measured, "--sample", 1, "--codec", "webp", "--metric", "psnr")
    assert (code, found["counts"]["equal"]) == (0, 1)


def test_a_changed_digest_of_a_bitstream_is_told(run, crops):
    change(run, "cases", lambda row: row.update(bitstream_sha256="0" * 64))
    code, found = jpeg(run, crops)
    assert code == 1
    assert found["counts"]["different"] == 2
    assert fields(found).keys() == {"bitstream_sha256"}


def test_a_changed_length_is_told_with_the_difference(run, crops):
    change(run, "cases", lambda row: row.update(bytes=row["bytes"] - 7))
    code, found = jpeg(run, crops)
    assert (code, fields(found)["bytes"]["difference"]) == (1, 7)


@pytest.mark.parametrize("metric", ["psnr", "ms_ssim"])
def test_a_changed_metric_is_told_by_how_much(run, crops, metric):
    def worse(row):
        if row["metric"] == metric:
            row["value"] -= 0.01

    change(run, "scores", worse)
    code, found = jpeg(run, crops)
    assert code == 1
    assert fields(found).keys() == {metric}
    assert fields(found)[metric]["difference"] == pytest.approx(0.01)
    assert fields(found)[metric]["tolerance"] == METRICS[metric].tolerance


def test_a_difference_under_the_tolerance_is_told_as_that(run, crops):
    def barely(row):
        row["value"] += METRICS[row["metric"]].tolerance / 3

    change(run, "scores", barely)
    code, found = jpeg(run, crops)
    assert code == 0
    assert found["counts"]["equal within the stated tolerance"] == 2


def test_a_changed_picture_is_told(run, crops):
    change(run, "cases", lambda row: row.update(picture_sha256="0" * 64))
    code, found = jpeg(run, crops)
    assert code == 1
    assert fields(found).keys() == {"picture_sha256"}


def test_the_picture_of_an_older_record_is_the_kept_one(run, crops):
    change(run, "cases", lambda row: row.update(picture_sha256=None, reconstruction_sha256=None))
    assert jpeg(run, crops)[0] == 0
    for path in (run / "reconstructions" / "jpeg").rglob("*.png"):
        pixels = np.array(Image.open(path))
        pixels[3, 5, 1] ^= 2
        Image.fromarray(pixels).save(path)
    code, found = jpeg(run, crops)
    assert code == 1
    assert "by 2 of 255 steps at most" in fields(found)["picture_sha256"]["note"]


def test_a_record_without_any_picture_is_compared_in_the_rest(run, crops):
    change(run, "cases", lambda row: row.update(picture_sha256=None))
    shutil.rmtree(run / "reconstructions")
    code, found = jpeg(run, crops)
    assert code == 0
    assert "picture_sha256" not in {f["name"] for f in found["cases"][0]["fields"]}


def test_another_version_in_the_environment_is_told_beside_a_difference(run, crops):
    def elsewhere(row):
        row.update(environment="inline:pillow@1.0", machine="abc", bitstream_sha256="0" * 64)

    change(run, "cases", elsewhere)
    _, found = jpeg(run, crops)
    told = " ".join(found["cases"][0]["elsewhere"])
    assert "environment inline:pillow@1.0 there, inline:" in told
    assert "machine abc" in told


def test_another_version_alone_is_no_difference(run, crops):
    change(run, "cases", lambda row: row.update(environment="inline:pillow@1.0", machine="abc"))
    code, found = jpeg(run, crops)
    assert (code, found["cases"][0]["elsewhere"]) == (0, [])


def test_a_value_under_another_card_is_not_compared(run, crops):
    change(run, "scores", lambda row: row.update(card="0" * 12))
    code, found = jpeg(run, crops)
    assert code == 2
    assert "another identity card" in fields(found)["psnr"]["note"]


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


def test_records_of_other_adapter_code_are_not_compared_and_say_so(run, crops):
    from harness.store.documents import read_json, write_json

    for path in (run / "runs").glob("*.json"):
        manifest = read_json(path)
        for codec in manifest["codecs"].values():
            codec["code"] = "0" * 64
        write_json(path, manifest)
    code, found = jpeg(run, crops)
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
    assert len({photograph(r) for r in choose(records, 4, 7)}) == 1
    assert len(choose(records, 100, 7)) == len(records)


def test_junit_and_table_show_what_differs(run, crops, tmp_path):
    change(run, "cases", lambda row: row.update(bitstream_sha256="0" * 64))
    arguments = [
        "--codec",
        "jpeg",
        "--dataset",
        crops,
        "--metric",
        "psnr",
        "--junit",
        tmp_path / "x",
    ]
    answer = CliRunner().invoke(command, [str(a) for a in [run, "--seed", 5, *arguments]])
    assert answer.exit_code == 1
    assert "jpeg   q20   crop0.png  different  equal    equal" in answer.stdout
    assert "2 cases, seed 5: 0 equal" in answer.stdout
    assert "bitstream_sha256: recorded 000000000000..., found " in answer.stdout
    assert "times are not compared" in answer.stdout
    root = ET.parse(tmp_path / "x").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "2")


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
