"""One table of codes and classes: Python and Node give every code, in every category, the class that docs/errors.md says."""

import os
import re
import sys

import parts

CATEGORIES = {
    "input": "InputError",
    "transient": "TransientError",
    "configuration": "ConfigurationError",
    "conflict": "ConflictError",
    "cancelled": "RunCancelledError",
    "internal": "InternalError",
}


def documented():
    """The classes below those of categories, as the page has them: by name, the class above and the codes."""
    page = (parts.ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    section = page.split("## Classes in Python and Node")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.+?) \| .+ \|$", section, re.MULTILINE)
    verdicts = re.findall(r"^\| (?:unreadable|invalid|policy_unmet) \| (.+) \|$", page, re.MULTILINE)
    proofs = {code for row in verdicts for code in re.findall(r"`(\w+)`", row)}
    return {name: (below, set(re.findall(r"`(\w+)`", codes)) or proofs) for name, below, codes in rows}


def main():
    parts.check("python", "node")
    environment = {**os.environ, "NFA_NODE_PACKAGE": str(parts.NODE_PACKAGE)}
    python = parts.ask("errors/classes.py", environment=environment)
    node = parts.ask("errors/classes.mjs", environment=environment)

    assert python["codes"] == node["codes"], set(python["codes"]) ^ set(node["codes"])
    assert len(python["codes"]) > 150, len(python["codes"])
    assert python["classes"] == node["classes"], "the classes differ"
    assert python["lines"] == node["lines"], "the classes above the classes differ"

    classes = documented()
    assert len(classes) > 10, classes
    own = {code: (below, name) for name, (below, codes) in classes.items() for code in codes}
    for code in [*python["codes"], "a_code_of_tomorrow"]:
        for category, of_category in CATEGORIES.items():
            below, name = own.get(code, (None, None))
            expected = name if below == of_category else of_category
            found = python["classes"][f"{code} {category}"]
            assert found == expected, f"{code} as {category}: the page says {expected}, found {found}"
    for name, (below, _) in classes.items():
        assert python["lines"][name] == [name, below, "NfaError"], python["lines"][name]
    for language in (python, node):
        assert language["exported"] == sorted(python["lines"]), set(python["lines"]) - set(language["exported"])
    print(f"{len(python['codes'])} codes and {len(python['lines'])} classes are the same in Python, in Node and on the page")


if __name__ == "__main__":
    try:
        main()
    except parts.Missing as missing:
        sys.exit(str(missing))
