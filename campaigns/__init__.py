"""Attacks on the harness, each of which counts what it tried and what held.

::

    python -m campaigns                     all of them, about an hour
    python -m campaigns --short             all of them, ten minutes
    python -m campaigns kills --seed 7      one of them

A campaign is a module of this package, listed in :data:`campaigns.__main__.CAMPAIGNS`, with a
function ``run(effort: Effort) -> list[Tally]``. The first line of its docstring is the claim that
it attacks.
"""
