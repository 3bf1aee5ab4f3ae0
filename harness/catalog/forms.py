"""The forms that names, paths and hashes in a manifest must have.

They become names of folders and files, so none of them can lead out of the folder it belongs to.
"""

from __future__ import annotations

from typing import Annotated

from harness.catalog.record import Rule

Name = Annotated[
    str,
    Rule("be lower case, with hyphens, such as 'my-codec'", pattern=r"[a-z0-9][a-z0-9.+-]*"),
]
"""What people type for a codec or a data set."""

Label = Annotated[
    str,
    Rule(
        "begin with a letter or digit and hold letters, digits and any of . _ + = -",
        pattern=r"[A-Za-z0-9][A-Za-z0-9._+=-]*",
    ),
]
"""The id of a rate point, or the name of an environment."""

_PART = r"(?!\.{1,2}(/|$))[^/\\\x00-\x1f]+"
InnerPath = Annotated[
    str,
    Rule(
        "be a path inside its folder, without '..', '.' or a leading '/'",
        pattern=rf"{_PART}(/{_PART})*",
    ),
]
"""A file or folder below the one that the manifest means, with ``/`` between the parts."""

Sha256 = Annotated[str, Rule("be 64 hexadecimal digits in lower case", pattern=r"[0-9a-f]{64}")]

Commit = Annotated[str, Rule("be 40 hexadecimal digits in lower case", pattern=r"[0-9a-f]{40}")]

Positive = Annotated[int, Rule("be at least 1", minimum=1)]
