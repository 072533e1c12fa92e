"""One table of codes to classes, equal to the page of the project."""

from __future__ import annotations

import pathlib
import pickle
import re

import pytest

from conftest import PACKAGE, ROOT
from nfa_runtime import NfaError, RateLimitError, SessionBusyError, TransientError, errors
from nfa_runtime._generated.errors import CODES


def listed() -> set[str]:
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    return set(re.findall(r"^\| `([a-z0-9_]+)` \|", page, re.MULTILINE))


def test_every_code_of_the_page_has_a_class() -> None:
    categories = {"input", "transient", "configuration", "conflict", "cancelled", "internal"}
    told_to_models = {"answer_cut_off", "arguments_invalid", "second_handoff", "too_deep", "too_many_calls"}
    assert len(CODES) > 100
    assert listed() - categories - told_to_models <= set(CODES) | {"arguments_not_json"}


def test_every_code_that_the_package_gives_is_on_the_page() -> None:
    given: set[str] = set()
    for file in (PACKAGE / "python" / "nfa_runtime").rglob("*.py"):
        if "_generated" not in file.parts:
            text = file.read_text("utf-8")
            given |= set(re.findall(r'(?:invalid|make)\(\s*"([a-z_]+)"', text))
            given |= set(re.findall(r'code="([a-z_]+)"', text))
            given |= set(re.findall(r'stated\(call, \("([a-z_]+)"', text))
    for source in (PACKAGE / "src").glob("*.rs"):
        given |= set(re.findall(r'Category::\w+,\s*"([a-z_]+)"', source.read_text("utf-8")))
    assert {"forked", "tool_output_not_json", "no_event_loop"} <= given
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert not {code for code in given if f"`{code}`" not in page}


def test_an_error_has_the_class_of_its_code_and_category() -> None:
    error = errors.make("model_rate_limited", "transient", "model", "slow down", True, 1.5, {"a": 1})
    assert type(error) is RateLimitError and isinstance(error, TransientError) and isinstance(error, NfaError)
    assert (error.code, error.category, error.component) == ("model_rate_limited", "transient", "model")
    assert error.retryable and error.retry_after == 1.5 and error.details == {"a": 1}
    assert str(error) == "slow down [model_rate_limited]"
    assert type(errors.make("session_busy", "conflict", "runtime", "busy", False, None, None)) is SessionBusyError
    unknown = errors.make("of_a_newer_engine", "transient", "runtime", "?", True, None, None)
    assert type(unknown) is TransientError


def test_errors_may_be_pickled() -> None:
    error = errors.make("session_busy", "conflict", "runtime", "busy", False, None, {"run": "x"})
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is SessionBusyError and again.details == {"run": "x"} and str(again) == str(error)


@pytest.mark.parametrize("name", errors.__all__)
def test_every_class_is_documented_and_exported(name: str) -> None:
    import nfa_runtime

    member = getattr(errors, name)
    assert member.__doc__
    if isinstance(member, type):
        assert getattr(nfa_runtime, name) is member


def test_the_page_is_there() -> None:
    assert pathlib.Path(ROOT / "docs" / "errors.md").exists()
