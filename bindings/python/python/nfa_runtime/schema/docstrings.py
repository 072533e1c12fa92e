"""Reads docstrings: what a function is for, and what each of its parameters means.

Google, NumPy and Sphinx styles are told apart by their section marks; a docstring without any is all description.
"""

from __future__ import annotations

import inspect
import re

_GOOGLE = r"(?i)^(args|arguments|parameters|params)\s*:\s*$"
_GOOGLE_OTHER = (
    r"(?i)^(returns?|yields?|raises?|examples?|notes?|attributes|warnings?|see also|references|todo)\s*:\s*$"
)
_GOOGLE_ITEM = r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$"
_NUMPY_ITEM = r"^\*{0,2}(\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$"
_SPHINX = r"^:(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$"
_SPHINX_OTHER = r"^:\w+(?:\s+[^:]*)?:"


def read_docstring(doc: str | None) -> tuple[str, dict[str, str]]:
    """The description, and the description of each parameter."""
    if not doc:
        return "", {}
    lines = inspect.cleandoc(doc).splitlines()
    if ":" not in doc and "---" not in doc:
        return _paragraphs(lines), {}
    if any(re.match(_SPHINX_OTHER, line) for line in lines):
        return _sphinx(lines)
    for at, line in enumerate(lines):
        if _is_underlined(lines, at):
            return _numpy(lines)
        if re.match(_GOOGLE, line) or re.match(_GOOGLE_OTHER, line):
            return _google(lines)
    return _paragraphs(lines), {}


def _paragraphs(lines: list[str]) -> str:
    """The text with lines of one paragraph joined, as a model reads it."""
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if not line.strip():
            paragraphs.append([])
        elif line[:1].isspace() or line.lstrip()[:1] in "-*>`":
            paragraphs[-1].append("\n" + line.rstrip())
        else:
            paragraphs[-1].append((" " if paragraphs[-1] else "") + line.strip())
    return "\n\n".join("".join(paragraph).strip("\n") for paragraph in paragraphs if paragraph).strip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _google(lines: list[str]) -> tuple[str, dict[str, str]]:
    parameters: dict[str, list[str]] = {}
    described: list[str] = []
    section: str | None = None
    item: list[str] | None = None
    depth = 0
    for line in lines:
        if not line[:1].isspace() and line.strip():
            item = None
            if re.match(_GOOGLE, line):
                section, depth = "parameters", 0
                continue
            if re.match(_GOOGLE_OTHER, line):
                section = "other"
                continue
            section = None
        if section is None:
            described.append(line)
        elif section == "parameters" and line.strip():
            depth = depth or _indent(line)
            match = re.match(_GOOGLE_ITEM, line.strip()) if _indent(line) <= depth else None
            if match:
                item = parameters.setdefault(match[1], [])
                item.append(match[2])
            elif item is not None:
                item.append(line.strip())
    return _paragraphs(described), {name: " ".join(text).strip() for name, text in parameters.items()}


def _is_underlined(lines: list[str], at: int) -> bool:
    following = lines[at + 1].strip() if at + 1 < len(lines) else ""
    title = lines[at].strip()
    return bool(title) and len(following) >= 3 and set(following) == {"-"}


def _numpy(lines: list[str]) -> tuple[str, dict[str, str]]:
    parameters: dict[str, list[str]] = {}
    described: list[str] = []
    section = "description"
    items: list[list[str]] = []
    skip = False
    for at, line in enumerate(lines):
        if skip:
            skip = False
            continue
        if _is_underlined(lines, at):
            title = line.strip().lower()
            section = "parameters" if title in ("parameters", "other parameters") else "other"
            items, skip = [], True
        elif section == "description":
            described.append(line)
        elif section == "parameters" and line.strip():
            match = re.match(_NUMPY_ITEM, line) if not line[:1].isspace() else None
            if match:
                names = [name.strip().lstrip("*") for name in match[1].split(",")]
                items = [parameters.setdefault(name, []) for name in names]
            else:
                for item in items:
                    item.append(line.strip())
    return _paragraphs(described), {name: " ".join(text).strip() for name, text in parameters.items()}


def _sphinx(lines: list[str]) -> tuple[str, dict[str, str]]:
    parameters: dict[str, list[str]] = {}
    described: list[str] = []
    item: list[str] | None = None
    fields = False
    for line in lines:
        match = re.match(_SPHINX, line)
        if match:
            item = parameters.setdefault(match[1], [])
            item.append(match[2])
            fields = True
        elif re.match(_SPHINX_OTHER, line):
            item, fields = None, True
        elif fields and line[:1].isspace() and line.strip():
            if item is not None:
                item.append(line.strip())
        elif not fields:
            described.append(line)
    return _paragraphs(described), {name: " ".join(text).strip() for name, text in parameters.items()}
