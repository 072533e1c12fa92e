"""Prints the codes, and the class of each in each category."""

import json

import nfa_runtime
from nfa_runtime._generated import errors

CATEGORIES = ["input", "transient", "configuration", "conflict", "cancelled", "internal"]


def made(code, category):
    report = {"code": code, "category": category, "component": "runtime", "message": "no", "retryable": False}
    error = errors.error_from(report)
    assert (error.code, error.category, error.message) == (code, category, "no")
    return type(error)


codes = sorted(errors.CODES)
found = {f"{code} {category}": made(code, category) for code in [*codes, "a_code_of_tomorrow"] for category in CATEGORIES}
lines = {kind.__name__: [one.__name__ for one in kind.__mro__[:-3]] for kind in found.values()}
classes = {key: kind.__name__ for key, kind in found.items()}
exported = sorted(name for name in lines if name in nfa_runtime.__all__ and hasattr(nfa_runtime, name))
print(json.dumps({"codes": codes, "classes": classes, "lines": lines, "exported": exported}))
