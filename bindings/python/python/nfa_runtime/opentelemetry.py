"""Spans for OpenTelemetry, with the names of its conventions for generative AI.

`instrument()` switches it on::

    from nfa_runtime.opentelemetry import instrument

    instrument()

A run is a span `invoke_agent NAME`, whose parent is the span that is current where it is started. Inside it are a span
`chat MODEL` for each call of a provider's model, and a span `execute_tool NAME` for each tool of Python's, which is
current while the tool's code runs. No content is in them, neither of messages nor of tools.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from . import _bridges

if TYPE_CHECKING:
    from ._host import Given
    from ._native import CallInfo
    from .outcome import Outcome

_PROVIDERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}

_installed: _OpenTelemetryBridge | None = None


def instrument(tracer_provider: trace.TracerProvider | None = None) -> None:
    """Makes spans from here on, for runtimes that are opened afterwards.

    Args:
        tracer_provider: whose spans they are; the global provider's, when left out.
    """
    global _installed
    if _installed is None:
        from . import __version__

        tracer = trace.get_tracer("nfa_runtime", __version__, tracer_provider)
        _installed = _OpenTelemetryBridge(tracer)
        _bridges.add(_installed)


def uninstrument() -> None:
    """Makes no more spans."""
    global _installed
    if _installed is not None:
        _bridges.remove(_installed)
        _installed = None


class _OpenTelemetryBridge(_bridges.Bridge):
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def run_started(self, given: Given) -> None:
        attributes: dict[str, Any] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": given.agent}
        if given.session is not None:
            attributes["gen_ai.conversation.id"] = given.session
        given.trace = self._tracer.start_span(f"invoke_agent {given.agent}", attributes=attributes)

    def run_ended(self, given: Given, outcome: Outcome[Any] | None, error: BaseException | None) -> None:
        span, given.trace = given.trace, None
        if span is None:
            return
        failure: Any = error
        if outcome is not None:
            span.set_attribute("nfa.run.id", outcome.run)
            span.set_attribute("nfa.run.status", outcome.status)
            usage: Any = outcome.usage
            span.set_attribute("gen_ai.usage.input_tokens", usage["input_tokens"])
            span.set_attribute("gen_ai.usage.output_tokens", usage["output_tokens"])
            failure = outcome.error
        if failure is not None:
            span.set_attribute("error.type", getattr(failure, "code", type(failure).__qualname__))
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def model_called(self, given: Given, info: CallInfo, told: dict[str, Any]) -> None:
        provider, _, model = told["model"].partition("/")
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
            "gen_ai.request.model": model,
            "gen_ai.agent.name": info.agent,
            "gen_ai.output.type": "json" if told["output_schema"] else "text",
        }
        settings = told["settings"]
        for ours, theirs in (
            ("max_output_tokens", "max_tokens"),
            ("temperature", "temperature"),
            ("top_p", "top_p"),
            ("seed", "seed"),
        ):
            if ours in settings:
                attributes[f"gen_ai.request.{theirs}"] = settings[ours]
        if "error" in told:
            attributes["error.type"] = told["error"]
        else:
            usage = told["usage"]
            finish = {"tool_calls": "tool_call"}.get(told["finish"], told["finish"])
            attributes["gen_ai.response.finish_reasons"] = [finish]
            attributes["gen_ai.usage.input_tokens"] = usage["input_tokens"]
            attributes["gen_ai.usage.output_tokens"] = usage["output_tokens"]
            if usage.get("cached_tokens"):
                attributes["gen_ai.usage.cache_read.input_tokens"] = usage["cached_tokens"]
            if told["response_model"]:
                attributes["gen_ai.response.model"] = told["response_model"]
            if told["response_id"]:
                attributes["gen_ai.response.id"] = told["response_id"]
        span = self._tracer.start_span(
            f"chat {model}",
            context=_inside(given),
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=told["start"],
        )
        if "error" in told:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_time=told["end"])

    @contextlib.contextmanager
    def tool_called(self, given: Given, info: CallInfo, tool: str, arguments: Any) -> Iterator[None]:
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.type": "function",
            "gen_ai.agent.name": info.agent,
            "nfa.run.id": info.run,
            "nfa.step": info.step,
        }
        with self._tracer.start_as_current_span(
            f"execute_tool {tool}",
            context=_inside(given),
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(Status(StatusCode.ERROR))
                raise


def _inside(given: Given) -> Any:
    return None if given.trace is None else trace.set_span_in_context(given.trace)
