"""What keeps a codec from running here, for tests that need it to run."""

from harness.errors import Lack
from harness.readiness.ready import Readiness


def lack_of(codec, rate=None, **asked):
    """The lack of a codec at a rate point, or at all of them, in one line; ``None`` without any.

    ``asked`` is what :class:`Readiness` takes.
    """
    readiness = Readiness(**asked)
    found = readiness.at_any(codec) if rate is None else readiness.of(codec, [rate])
    return str(found) if isinstance(found, Lack) else None
