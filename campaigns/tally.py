"""How much a campaign tries, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Effort:
    """How much to try.

    Attributes:
        short: Whether this is the part that every change is tested with.
        seed: Decides every choice a campaign makes.
    """

    short: bool
    seed: int

    def of(self, full: int, short: int) -> int:
        """How many attempts to make."""
        return short if self.short else full


@dataclass
class Tally:
    """The attempts of one kind, and the ones that broke the claim.

    Attributes:
        attack: What was tried, as a row of the table says it: ``SIGKILL of the process group``.
        tried: The number of attempts.
        outcomes: How the attempts ended, in words, and how often each.
        broken: What happened in each attempt that broke the claim, with what repeats it.
    """

    attack: str
    tried: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def held(self, outcome: str) -> None:
        """Count an attempt that the harness withstood."""
        self.tried += 1
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def broke(self, what: str) -> None:
        """Count an attempt that broke the claim, and say so at once."""
        self.tried += 1
        self.broken.append(what)
        print(f"  BROKEN: {self.attack}: {what}", flush=True)
