"""Records in the standard logging, and spans of OpenTelemetry."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import MODEL, Servers, calls
from nfa_runtime import Agent, Runtime, tool
from nfa_runtime import logging as bridge


@tool(effect="pure")
async def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


@tool
def fails() -> None:
    """Fails."""
    raise LookupError("a secret city")


@pytest.fixture
def logs() -> Iterator[None]:
    bridge.install()
    yield
    bridge.uninstall()


async def test_runs_models_and_tools_are_logged_without_content(
    llm: Servers, logs: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "nfa_runtime")
    turns = [calls("add", a=2, b=40), calls("fails"), {"results": 2, "text": "Secret answer."}]
    turns[1]["results"] = 1
    agent = Agent("helper", MODEL, base_url=llm(turns), tools=[add, fails])
    async with Runtime() as runtime:
        outcome = await runtime.run(agent, "A secret question")
    assert outcome.is_completed, outcome.error
    records = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    names = [name for name, _, _ in records]
    assert names.count("nfa_runtime.model") == 3 and names.count("nfa_runtime.tool") == 2
    assert ("nfa_runtime.run", "DEBUG", "run of helper starts") in records
    assert ("nfa_runtime.run", "INFO", f"run {outcome.run} of helper: completed") in records
    assert ("nfa_runtime.tool", "WARNING", "tool fails raised LookupError") in records
    model: Any = next(record for record in caplog.records if record.name == "nfa_runtime.model")
    assert model.nfa["run"] == outcome.run and model.nfa["output_tokens"] > 0
    assert "secret" not in caplog.text.lower()


async def test_failures_are_warnings_with_their_codes(
    llm: Servers, logs: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "nfa_runtime")
    url = llm([{"error": {"status": 401, "code": "invalid_api_key", "message": "no"}}])
    async with Runtime() as runtime:
        outcome = await runtime.run(Agent("helper", MODEL, base_url=url), "Hello")
    assert outcome.error is not None and outcome.error.code == "model_auth"
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("model_auth" in message for message in warned)


async def test_nothing_is_logged_when_it_is_off(llm: Servers, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "nfa_runtime")
    async with Runtime() as runtime:
        await runtime.run(Agent("helper", MODEL, base_url=llm("tools:1"), tools=[add]), "Hello")
    assert not [record for record in caplog.records if record.name in ("nfa_runtime.run", "nfa_runtime.model")]


def test_what_the_engine_says_reaches_logging(llm: Servers, python: Any) -> None:
    program = """
import logging, sys, time
logging.basicConfig(level=1, stream=sys.stdout, format="%(name)s %(levelname)s")
logging.getLogger("nfa_runtime.engine").setLevel(1)
from nfa_runtime import Agent, Runtime, logging as bridge
bridge.install()
Runtime.run_sync(Agent("helper", "openai-compatible/scripted", base_url=sys.argv[1]), "Hello")
deadline = time.monotonic() + 20
while "nfa_runtime.engine" not in " ".join(logging.root.manager.loggerDict) and time.monotonic() < deadline:
    time.sleep(0.01)
print([name for name in logging.root.manager.loggerDict if name.startswith("nfa_runtime.engine.")])
"""
    printed = python(program, llm("one")).stdout
    assert "nfa_runtime.run INFO" in printed


otel = pytest.importorskip("opentelemetry.sdk.trace")


@pytest.fixture
def spans() -> Iterator[Any]:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from nfa_runtime.opentelemetry import instrument, uninstrument

    exporter = InMemorySpanExporter()
    provider = otel.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrument(provider)
    yield provider, exporter
    uninstrument()


@pytest.mark.parametrize("listens", [True, False])
async def test_a_run_is_a_span_with_its_model_calls_and_tools_inside(llm: Servers, spans: Any, listens: bool) -> None:
    provider, exporter = spans
    tracer = provider.get_tracer("test")

    @tool(effect="pure", name="add")
    async def add_with_span(a: int, b: int) -> int:
        with tracer.start_as_current_span("inside"):
            return a + b

    @tool(effect="pure", name="twice")
    def twice(number: int) -> int:
        with tracer.start_as_current_span("inside"):
            return number * 2

    turn = {"calls": [{"tool": "add", "arguments": {"a": 2, "b": 40}}, {"tool": "twice", "arguments": {"number": 21}}]}
    url = llm([turn, {"results": 2, "text": "Both 42."}])
    agent = Agent("helper", MODEL, base_url=url, tools=[add_with_span, twice], settings={"temperature": 0})
    with tracer.start_as_current_span("outside"):
        async with Runtime() as runtime:
            if listens:
                async with runtime.run(agent, "Hello", session="alice") as run:
                    async for _ in run:
                        pass
                identity = run.id
            else:
                identity = (await runtime.run(agent, "Hello", session="alice")).run
    made = exporter.get_finished_spans()
    by_id = {span.context.span_id: span for span in made}

    def parent(span: Any) -> str:
        return str(by_id[span.parent.span_id].name) if span.parent else ""

    told = sorted((span.name, parent(span)) for span in made)
    assert told == [
        ("chat scripted", "invoke_agent helper"),
        ("chat scripted", "invoke_agent helper"),
        ("execute_tool add", "invoke_agent helper"),
        ("execute_tool twice", "invoke_agent helper"),
        ("inside", "execute_tool add"),
        ("inside", "execute_tool twice"),
        ("invoke_agent helper", "outside"),
        ("outside", ""),
    ]
    assert len({span.context.trace_id for span in made}) == 1
    whole = next(span for span in made if span.name == "invoke_agent helper")
    assert whole.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert whole.attributes["gen_ai.conversation.id"] == "alice"
    assert whole.attributes["nfa.run.id"] == identity and whole.attributes["nfa.run.status"] == "completed"
    chat = next(span for span in made if span.name == "chat scripted")
    assert chat.kind.name == "CLIENT" and chat.end_time >= chat.start_time >= whole.start_time
    assert chat.attributes["gen_ai.request.model"] == "scripted" and chat.attributes["gen_ai.request.temperature"] == 0
    assert chat.attributes["gen_ai.response.finish_reasons"] == ("tool_call",)
    assert chat.attributes["gen_ai.usage.output_tokens"] > 0


async def test_failures_are_errors_of_their_spans(llm: Servers, spans: Any) -> None:
    _, exporter = spans
    url = llm([calls("fails"), {"error": {"status": 401, "code": "invalid_api_key", "message": "no"}}])
    async with Runtime() as runtime:
        await runtime.run(Agent("helper", MODEL, base_url=url, tools=[fails]), "Hello")
    wrong = {
        span.name: span.attributes["error.type"]
        for span in exporter.get_finished_spans()
        if span.status.status_code.name == "ERROR"
    }
    assert wrong == {
        "execute_tool fails": "LookupError",
        "chat scripted": "model_auth",
        "invoke_agent helper": "model_auth",
    }
