"""Of hostile files nothing is executed and nothing written outside; each is refused or measured.

Pictures, manifests, checkpoints, archives and file names are given to the real command line, or to
the functions that it calls. What cannot be used is refused by its documented error, with the reason
and the remedy, and everything beside it is measured.
"""

from __future__ import annotations

from campaigns.hostility import archives, checkpoints, manifests, names, pictures
from campaigns.tally import Effort, Tally


def run(effort: Effort) -> list[Tally]:
    """Attack with one kind after the other."""
    kinds = (names, pictures, manifests, checkpoints, archives)
    return [tally for kind in kinds for tally in kind.attack(effort)]
