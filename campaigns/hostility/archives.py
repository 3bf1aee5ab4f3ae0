"""Zip files that name places outside, unpack to more than they say, or lie about themselves."""

from __future__ import annotations

import io
import stat
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from campaigns.tally import Effort, Tally
from harness.assets.dataset_files import unpack
from harness.assets.download import DownloadError
from harness.catalog.datasets import ArchiveSpec, DatasetSpec

OUTSIDE = (
    "../x.png", "../../../../x.png", "/x.png", "//x.png", "a/../../x.png", "..\\..\\x.png",
    "C:\\x.png", "\\\\server\\x.png", "./x.png", "a//x.png", "x.png/..", "x.png/.", "~/x.png",
)  # fmt: skip


def attack(_: Effort) -> list[Tally]:
    """Unpack each archive as a data set's; nothing may appear but regular files in its folder."""
    tally = Tally("archives: traversal, links, bombs, lies")
    for name, content in archives():
        with tempfile.TemporaryDirectory() as scratch:
            archive, folder = Path(scratch, "set.zip"), Path(scratch, "a", "b", "set")
            archive.write_bytes(content)
            folder.parent.mkdir(parents=True)
            spec = DatasetSpec("set", "", "", "", "", 1, (), ArchiveSpec("", "*"))
            try:
                unpack(spec, archive, folder)
                outcome = "unpacked inside"
            except DownloadError as error:
                outcome = "refused" if error.remedy else ""
            except Exception as error:  # noqa: BLE001 - any other breaks the claim
                tally.broke(f"{name}: {error!r}")
                continue
            found = {path for path in Path(scratch).rglob("*") if not path.is_dir()} - {archive}
            outside = [
                p for p in found if p.parent != folder or not stat.S_ISREG(p.lstat().st_mode)
            ]
            size = sum(path.lstat().st_size for path in found)
            if outside or size > 1 << 24 or not outcome:
                tally.broke(f"{name}: {outcome}, {size} bytes, {[str(p) for p in outside]}")
            else:
                tally.held(outcome)
    return [tally]


def archives() -> Iterator[tuple[str, bytes]]:
    """Archives by name."""
    for name in OUTSIDE:
        yield f"a member {name}", zipped({name: b"pixels"})
    yield "a link", linked("x.png", b"/etc/passwd")
    yield "a link, and a member through it", linked("x", b"/tmp") + zipped({"x/x.png": b"1"})
    yield "a device", linked("x.png", b"", stat.S_IFCHR)
    yield "a bomb of 2 GB", zipped({"x.png": 2 << 30})
    honest = zipped({"x.png": 64 << 20})
    yield "a bomb that says it is 10 bytes", stated(honest, 10)
    yield "a member that says it is 4 GB", stated(zipped({"x.png": b"1"}), 0xFFFFFFFE)
    yield "a name that stands twice", zipped({"a/x.png": b"1", "b/x.png": b"2"})
    yield "100,000 members", zipped({f"{n}.png": b"" for n in range(100_000)})
    yield "a name with control characters", zipped({"a\x1b[2J\n.png": b"1"})
    yield "a name that is too long", zipped({"x" * 300 + ".png": b"1"})
    yield "a name without characters", zipped({"": b"1"})
    yield "a zip in a zip", zipped({"x.zip": zipped({"../x.png": b"1"})})
    whole = zipped({"x.png": b"pixels" * 100})
    yield "an encrypted member", flagged(whole, 1)
    for method in (1, 9, 12, 14, 93, 99):
        yield f"compression method {method}", patched(whole, 8, 10, struct.pack("<H", method))
    yield "a wrong CRC", patched(whole, 14, 16, b"1234")
    yield "two members that overlap", whole.replace(b"x.png", b"y.png", 1)
    for share in (0.0, 0.1, 0.5, 0.9, 0.99):
        yield f"{share:.0%} of an archive", whole[: int(share * len(whole))]


def zipped(members: dict[str, bytes | int]) -> bytes:
    """A zip of members by name: bytes, or a number of zeros."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            with opened.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                if isinstance(content, bytes):
                    member.write(content)
                    continue
                for _ in range(content >> 20):
                    member.write(bytes(1 << 20))
    return file.getvalue()


def linked(name: str, target: bytes, kind: int = stat.S_IFLNK) -> bytes:
    """A zip with a member that is no regular file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        info = zipfile.ZipInfo(name)
        info.external_attr = (kind | 0o777) << 16
        opened.writestr(info, target)
    return file.getvalue()


def patched(archive: bytes, local: int, central: int, value: bytes) -> bytes:
    """The archive with a field of its first member changed, in both of its headers."""
    changed = bytearray(archive)
    for mark, at in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        begin = changed.index(mark) + at
        changed[begin : begin + len(value)] = value
    return bytes(changed)


def stated(archive: bytes, size: int) -> bytes:
    """The archive, whose directory states another size of its first member."""
    changed = bytearray(archive)
    struct.pack_into("<I", changed, changed.index(b"PK\x01\x02") + 24, size)
    return bytes(changed)


def flagged(archive: bytes, flag: int) -> bytes:
    """The archive with a flag of its first member set."""
    return patched(archive, 6, 8, struct.pack("<H", flag))
