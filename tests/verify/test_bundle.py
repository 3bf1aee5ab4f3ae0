"""A bundle holds what was measured, byte for byte, and is believed in nothing else."""

import io
import json
import stat
import zipfile

import pandas as pd
import pytest
from click.testing import CliRunner

import harness
from harness.cli.bundle import command as bundle_command
from harness.cli.report import command as report_command
from harness.cli.verify import command as verify_command
from harness.errors import HarnessError
from harness.store.bundle import EXPANSION, LIST, pack
from harness.store.unpack import results_folder, unpack


@pytest.fixture(scope="module")
def bundle(measured, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundle") / "results.zip"
    answer = CliRunner().invoke(bundle_command, [str(measured), "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    return out


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def rewritten(bundle, out, change):
    """The bundle with its members and its list changed: ``change(members, listed)``."""
    with zipfile.ZipFile(bundle) as archive:
        members = {info.filename: (info, archive.read(info)) for info in archive.infolist()}
    document = json.loads(members.pop(LIST)[1])
    change(members, document["files"])
    with zipfile.ZipFile(out, "w") as archive:
        for info, data in members.values():
            archive.writestr(info, data)
        archive.writestr(LIST, json.dumps(document))
    return out


def added(name, data=b"{}", kind=stat.S_IFREG, method=zipfile.ZIP_STORED):
    """A change that adds a member, and lists it as it is."""
    import hashlib

    def change(members, listed):
        info = zipfile.ZipInfo(name)
        info.external_attr = (kind | 0o644) << 16
        info.compress_type = method
        members[name] = info, data
        listed[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    return change


def test_a_bundle_reads_as_the_folder_that_it_was_made_of(measured, bundle):
    pd.testing.assert_frame_equal(
        harness.load_results(bundle), harness.load_results(measured), check_exact=True
    )


def test_a_bundle_holds_records_cards_manifests_and_logs_and_no_picture(measured, bundle):
    with results_folder(bundle) as folder:
        kinds = {path.name for path in (folder / "run").iterdir()}
        assert kinds <= {"store.json", "runs", "cases", "scores", "cards", "logs"}
        assert content(folder / "run").items() <= content(measured).items()


def test_bitstreams_come_along_if_asked(measured, tmp_path):
    pack({"run": measured}, tmp_path / "all.zip", bitstreams=True)
    with results_folder(tmp_path / "all.zip") as folder:
        assert content(folder / "run" / "bitstreams") == content(measured / "bitstreams") != {}


def test_the_same_files_give_the_same_bytes(measured, bundle, tmp_path):
    pack({"run": measured}, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()


def test_what_was_unpacked_is_removed(bundle):
    with results_folder(bundle) as folder:
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_a_report_takes_a_bundle_as_it_is(bundle, tmp_path):
    out = tmp_path / "reports"
    answer = CliRunner().invoke(report_command, ["--results", str(bundle), "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    assert "JPEG" in (out / "index.html").read_text()


def test_verify_takes_a_bundle_as_it_is(bundle, crops):
    arguments = [str(bundle), "--sample", "2", "--seed", "1", "--codec", "jpeg"]
    answer = CliRunner().invoke(verify_command, [*arguments, "--dataset", str(crops)])
    assert answer.exit_code == 0, answer.output
    answer = CliRunner().invoke(verify_command, [str(bundle), "--files"])
    assert answer.exit_code == 0, answer.output


def test_a_flipped_byte_anywhere_in_a_bundle_is_refused_or_changes_nothing(
    measured, bundle, tmp_path
):
    whole, changed = bundle.read_bytes(), tmp_path / "changed.zip"
    expected, refused = content(measured), 0
    for place in range(0, len(whole), max(1, len(whole) // 200)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        changed.write_bytes(damaged)
        try:
            with results_folder(changed) as folder:
                assert content(folder / "run").items() <= expected.items()
        except HarnessError:
            refused += 1
    assert refused > 150


@pytest.mark.parametrize("length", [0, 10, 1000])
def test_a_truncated_bundle_is_refused(bundle, tmp_path, length):
    (tmp_path / "cut.zip").write_bytes(bundle.read_bytes()[:length])
    with pytest.raises(HarnessError, match="damaged, or is no bundle"):
        harness.load_results(tmp_path / "cut.zip")


@pytest.mark.parametrize(
    "name",
    [
        "../outside.json",
        "run/../../outside.json",
        "/outside.json",
        "run/cards/../../../outside.json",
        "run/cards//outside.json",
        "run/cards/..\\outside.json",
        "run/elsewhere/a.json",
        "run/reconstructions/a.png",
        "outside.json",
        "run/cards/",
    ],
)
def test_a_name_that_leads_outside_or_belongs_nowhere_is_refused(bundle, tmp_path, name):
    bad = rewritten(bundle, tmp_path / "bad.zip", added(name))
    place = tmp_path / "in" / "here"
    place.mkdir(parents=True)
    with pytest.raises(HarnessError, match="does not belong in a bundle"):
        unpack(bad, place)
    assert [*place.iterdir()] == []
    assert [*(tmp_path / "in").iterdir()] == [place]


def test_a_link_is_refused(bundle, tmp_path):
    link = added("run/cards/link.json", b"/etc/passwd", stat.S_IFLNK)
    with pytest.raises(HarnessError, match="is a link"):
        harness.load_results(rewritten(bundle, tmp_path / "bad.zip", link))


def test_a_bomb_is_refused_before_anything_is_unpacked(bundle, tmp_path):
    bomb = added("run/logs/bomb.log", bytes(20_000_000), method=zipfile.ZIP_DEFLATED)
    bad = rewritten(bundle, tmp_path / "bad.zip", bomb)
    (tmp_path / "here").mkdir()
    with pytest.raises(HarnessError, match=f"expand more than {EXPANSION} times"):
        unpack(bad, tmp_path / "here")
    assert [*(tmp_path / "here").iterdir()] == []


def test_members_that_share_their_bytes_are_refused(bundle, tmp_path):
    """What makes a small archive large without compressing: many names for the same bytes."""
    data = rewritten(
        bundle, tmp_path / "large.zip", added("run/logs/a.log", b"x" * 50_000)
    ).read_bytes()
    end = data.rindex(b"PK\5\6")
    directory = int.from_bytes(data[end + 16 : end + 20], "little")
    entries = data[directory:end]
    start = entries.index(b"run/logs/a.log") - 46
    length = 46 + sum(
        int.from_bytes(entries[start + n : start + n + 2], "little") for n in (28, 30, 32)
    )
    copies = b"".join(
        entries[start : start + length].replace(b"/a.log", f"/{n:x}.log".encode())
        for n in range(10)
    )
    total = int.from_bytes(data[end + 10 : end + 12], "little") + 10
    tail = bytearray(data[end:])
    tail[8:10] = tail[10:12] = total.to_bytes(2, "little")
    tail[12:16] = (len(entries) + len(copies)).to_bytes(4, "little")
    (tmp_path / "bad.zip").write_bytes(data[:end] + copies + tail)
    with pytest.raises(HarnessError, match="damaged, or is no bundle"):
        harness.load_results(tmp_path / "bad.zip")


def test_a_member_whose_digest_is_not_the_listed_one_is_refused(bundle, tmp_path):
    def change(members, listed):
        (name,) = (n for n in members if n.endswith("store.json"))
        info, data = members[name]
        members[name] = info, data.replace(b"1", b"0", 1)

    bad = rewritten(bundle, tmp_path / "bad.zip", change)
    with pytest.raises(HarnessError, match=r"store.json.* does not have the sha256"):
        harness.load_results(bad)


def test_a_member_that_is_not_listed_and_a_listed_one_that_is_gone_are_refused(bundle, tmp_path):
    def unlisted(members, listed):
        del listed["run/store.json"]

    def gone(members, listed):
        del members["run/store.json"]

    for change, words in ((unlisted, "not listed"), (gone, "not there")):
        with pytest.raises(HarnessError, match=words):
            harness.load_results(rewritten(bundle, tmp_path / "bad.zip", change))


def test_a_file_that_is_no_archive_is_refused_by_name(tmp_path):
    (tmp_path / "notes.txt").write_text("no archive")
    with pytest.raises(HarnessError, match=r"notes.txt is damaged, or is no bundle"):
        harness.load_results(tmp_path / "notes.txt")


def test_a_log_that_compresses_too_well_is_packed_as_it_is(run, tmp_path):
    (run / "logs").mkdir(exist_ok=True)
    (run / "logs" / "long.log").write_bytes(b"the same warning\n" * 200_000)
    pack({"run": run}, tmp_path / "b.zip")
    with results_folder(tmp_path / "b.zip") as folder:
        assert (folder / "run/logs/long.log").stat().st_size == 3_400_000


def test_a_damaged_file_is_not_packed(run, tmp_path):
    shard = next((run / "cases").glob("*.parquet"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(HarnessError, match="is damaged"):
        pack({"run": run}, tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def test_links_in_a_run_are_not_followed(run, tmp_path):
    (tmp_path / "secret.log").write_text("secret")
    (run / "logs").mkdir(exist_ok=True)
    (run / "logs" / "link.log").symlink_to(tmp_path / "secret.log")
    pack({"run": run}, tmp_path / "b.zip")
    assert b"link.log" not in (tmp_path / "b.zip").read_bytes()


def test_pictures_that_a_bundle_lacks_are_missed_as_with_keep_none(bundle):
    from harness.paper.photographs import load_picture

    frame = harness.load_results(bundle)
    with pytest.raises(HarnessError, match="no reconstruction was kept"):
        load_picture(bundle, frame, ["jpeg"], "psnr", 0.5, 64)


def test_an_archive_of_another_kind_is_refused(tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("run/store.json", '{"schema": 1}')
    (tmp_path / "other.zip").write_bytes(data.getvalue())
    with pytest.raises(HarnessError, match=f"it has no {LIST}"):
        harness.load_results(tmp_path / "other.zip")
