"""Measures agents in Python and Node beside their peers, in one run."""


class Failure(Exception):
    """What a person reads who ran the bench: what was expected, what was found, what to do."""
