"""The forms that names, paths and hashes in a manifest must have.

They become names of folders and files, so none of them can lead out of the folder it belongs to,
or is longer than a file's name may be: 255 bytes, with room for a suffix.
"""

from __future__ import annotations

from typing import Annotated

from harness.catalog.record import Rule

Name = Annotated[
    str,
    Rule(
        "be lower case, with hyphens, such as 'my-codec', and have at most 100 characters",
        pattern=r"[a-z0-9][a-z0-9.+-]{0,99}",
    ),
]
"""What people type for a codec or a data set."""

Label = Annotated[
    str,
    Rule(
        "begin with a letter or digit, hold letters, digits and any of . _ + = -, and have at most "
        "100 characters",
        pattern=r"[A-Za-z0-9][A-Za-z0-9._+=-]{0,99}",
    ),
]
"""The id of a rate point, or the name of an environment."""

_CHARACTER = r"[^/\\\x00-\x1f\x7f-\x9f]"
_ASCII = r"[ !-.0-\[\]-~]"
_PART = rf"(?!\.{{1,2}}(/|$))({_ASCII}{{1,200}}|{_CHARACTER}{{1,60}})"
InnerPath = Annotated[
    str,
    Rule(
        "be a path inside its folder, without '..', '.' or a leading '/', of at most 10 parts, "
        "each of at most 200 characters, or 60 with others than those of ASCII",
        pattern=rf"{_PART}(/{_PART}){{0,9}}",
    ),
]
"""A file or folder below the one that the manifest means, with ``/`` between the parts."""

Sha256 = Annotated[str, Rule("be 64 hexadecimal digits in lower case", pattern=r"[0-9a-f]{64}")]

Commit = Annotated[str, Rule("be 40 hexadecimal digits in lower case", pattern=r"[0-9a-f]{40}")]

Positive = Annotated[int, Rule("be at least 1", minimum=1)]
