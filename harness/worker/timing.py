"""How often a call is repeated: until its time is steady, then often enough for a median.

A call of up to :data:`FAST_MS` is *fast*. Its first times say more of caches and of the heap than
of the codec, so fast calls are warmed up on every image until they no longer become faster, and
timed five times or for 50 ms, whichever is less. A slow call is timed as often as is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FAST_MS = 50.0
"""A call that takes longer is slow. Warming up fast calls takes about as long, and timing them."""

FAST_CALLS = 5
STEADY = 0.95
"""A call is no longer becoming faster if it takes more than this part of the fastest before it."""

STEADY_CALLS = 2
"""How many calls in a row must be so."""

MAX_WARM = 20


@dataclass(frozen=True)
class Calls:
    """How often to call.

    Attributes:
        warmup: Untimed calls before the first timed one, at least.
        repeats: Timed calls, at least.
        cap_ms: A call that takes longer is the last; it is timed even if it was to be a warm-up.
        steady: Whether fast calls are warmed up until they are steady and timed more often.
    """

    warmup: int = 0
    repeats: int = 1
    cap_ms: float | None = None
    steady: bool = False

    @property
    def most(self) -> int:
        """The most calls that these can become."""
        return self.warmup + MAX_WARM + max(self.repeats, FAST_CALLS)


@dataclass
class Schedule:
    """Decides after each call whether it counts, and whether it was the last."""

    calls: Calls
    over: bool = False
    _warm: list[float] = field(default_factory=list)
    _timed: list[float] = field(default_factory=list)

    def counts(self, ms: float) -> bool:
        """Whether a call that took ``ms`` is a sample; else it was a warm-up."""
        capped = self.calls.cap_ms is not None and ms > self.calls.cap_ms
        if not capped and self._is_warm_up(ms):
            self._warm.append(ms)
            return False
        self._timed.append(ms)
        self.over = capped or self._is_enough()
        return True

    def _is_warm_up(self, ms: float) -> bool:
        if len(self._warm) < self.calls.warmup:
            return True
        fast = self.calls.steady and ms <= FAST_MS
        return fast and not self._timed and not self._is_steady()

    def _is_steady(self) -> bool:
        if sum(self._warm) >= FAST_MS or len(self._warm) >= self.calls.warmup + MAX_WARM:
            return True
        last = self._warm[-STEADY_CALLS:]
        before = self._warm[:-STEADY_CALLS]
        return bool(before) and min(last) > STEADY * min(before)

    def _is_enough(self) -> bool:
        if len(self._timed) < self.calls.repeats:
            return False
        return (
            not self.calls.steady or len(self._timed) >= FAST_CALLS or sum(self._timed) >= FAST_MS
        )
