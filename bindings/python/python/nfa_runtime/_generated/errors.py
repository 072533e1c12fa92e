"""Errors of nfa: a class for each category, and finer ones for codes that callers catch by themselves.

Generated from docs/errors.md by `cargo xtask generate`: do not edit.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .types import Category, Component


class NfaError(Exception):
    """An error of nfa: what went wrong, where, and what the caller can do about it.

    Match on classes and on `code`, never on the message. `docs/errors.md` lists every code.
    """

    message: str
    """The text for people: what was expected, what was found, what to do."""
    code: str
    """The stable code, in `snake_case`."""
    category: Category = "internal"
    """What to do about it."""
    component: Component
    """The part that reports it."""
    retryable: bool
    """Whether the same call may succeed later."""
    retry_after: float | None
    """How many seconds to wait before the next try, where that is known."""
    details: Any
    """What a program may want to know besides; `None` when there is nothing."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        component: Component = "runtime",
        category: Category | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        details: Any = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.component = component
        if category is not None:
            self.category = category
        self.retryable = self.category == "transient" if retryable is None else retryable
        self.retry_after = retry_after
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restored, (type(self), self.message, dict(self.__dict__)))


def _restored(kind: type[NfaError], message: str, state: dict[str, Any]) -> NfaError:
    error = kind.__new__(kind, message)
    error.__dict__.update(state)
    return error


class InputError(NfaError):
    """Category `input`. What to do: fix what was passed in."""

    category: Category = "input"


class TransientError(NfaError):
    """Category `transient`. What to do: wait and try again; `retry_after` says how long, where it is known. Such errors are retryable."""

    category: Category = "transient"


class ConfigurationError(NfaError):
    """Category `configuration`. What to do: change a setting, a key, a file or a permission."""

    category: Category = "configuration"


class ConflictError(NfaError):
    """Category `conflict`. What to do: somebody else has moved on: look again, then decide."""

    category: Category = "conflict"


class RunCancelledError(NfaError):
    """Category `cancelled`. What to do: nothing: it was asked for."""

    category: Category = "cancelled"


class InternalError(NfaError):
    """Category `internal`. What to do: a defect, of nfa or of the code that it called: report it."""

    category: Category = "internal"


class RunUnknownError(InputError):
    """no such run in this store.

    Codes: `run_unknown`.
    """


class OutputMismatchError(InputError):
    """the answer matches the schema, but is no value of your type.

    Codes: `output_mismatch`.
    """


class ContextLengthError(InputError):
    """the conversation does not fit the model.

    Codes: `model_context_length`.
    """


class RateLimitError(TransientError):
    """too many requests or tokens for now.

    Codes: `model_rate_limited`, `model_rate_limit_wait`.
    """


class ModelTimeoutError(TransientError):
    """the model did not answer in time.

    Codes: `model_timeout_connect`, `model_timeout_headers`, `model_timeout_first_token`, `model_timeout_gap`, `model_timeout_total`.
    """


class OutputInvalidError(TransientError):
    """the model's answers did not match the output schema.

    Codes: `output_invalid`.
    """


class AuthenticationError(ConfigurationError):
    """the provider's key is missing or not accepted.

    Codes: `model_auth`, `model_key_missing`, `model_key_invalid`.
    """


class NotRegisteredError(ConfigurationError):
    """this process lacks the code of a tool or model of the run.

    Codes: `not_registered`.
    """


class SessionBusyError(ConflictError):
    """the session has an open run.

    Codes: `session_busy`.
    """


class LeaseHeldError(ConflictError):
    """another process drives the run or sequences the log.

    Codes: `lease_held`.
    """


class AgentPausedError(ConflictError):
    """the agent takes no new runs until it is resumed.

    Codes: `agent_paused`.
    """


class ProgramMismatchError(ConflictError):
    """the run is pinned to another program.

    Codes: `program_mismatch`.
    """


class ContentErasedError(ConflictError):
    """the content, or its key, was erased.

    Codes: `content_erased`.
    """


class ToolFailedError(InternalError):
    """a tool says that the run must stop.

    Codes: `tool_failed`.
    """


BY_CATEGORY: dict[str, type[NfaError]] = {
    "input": InputError,
    "transient": TransientError,
    "configuration": ConfigurationError,
    "conflict": ConflictError,
    "cancelled": RunCancelledError,
    "internal": InternalError,
}
"""The class of each category."""

BY_CODE: dict[str, type[NfaError]] = {
    "run_unknown": RunUnknownError,
    "output_mismatch": OutputMismatchError,
    "model_context_length": ContextLengthError,
    "model_rate_limited": RateLimitError,
    "model_rate_limit_wait": RateLimitError,
    "model_timeout_connect": ModelTimeoutError,
    "model_timeout_headers": ModelTimeoutError,
    "model_timeout_first_token": ModelTimeoutError,
    "model_timeout_gap": ModelTimeoutError,
    "model_timeout_total": ModelTimeoutError,
    "output_invalid": OutputInvalidError,
    "model_auth": AuthenticationError,
    "model_key_missing": AuthenticationError,
    "model_key_invalid": AuthenticationError,
    "not_registered": NotRegisteredError,
    "session_busy": SessionBusyError,
    "lease_held": LeaseHeldError,
    "agent_paused": AgentPausedError,
    "program_mismatch": ProgramMismatchError,
    "content_erased": ContentErasedError,
    "tool_failed": ToolFailedError,
}
"""The codes that have a class of their own."""

CODES: dict[str, tuple[type[NfaError], tuple[Category, ...], Component]] = {
    "agent_file_invalid": (InputError, ("input",), "cli"),
    "agent_file_syntax": (InputError, ("input",), "cli"),
    "agent_file_unreadable": (InputError, ("input",), "cli"),
    "agent_invalid": (InputError, ("input",), "spec"),
    "agent_paused": (AgentPausedError, ("conflict",), "runtime"),
    "agent_terminated": (InputError, ("input",), "runtime"),
    "anchor_answers": (InternalError, ("internal",), "proof"),
    "anchor_conflict": (ConflictError, ("conflict",), "proof"),
    "anchor_empty": (NfaError, (), "proof"),
    "anchor_malformed": (NfaError, (), "proof"),
    "anchor_mismatch": (NfaError, (), "proof"),
    "anchor_timeout": (TransientError, ("transient",), "proof"),
    "anchor_unreachable": (TransientError, ("transient",), "proof"),
    "arguments_not_json": (InternalError, ("internal",), "engine"),
    "batch_malformed": (InternalError, ("internal",), "store"),
    "bundle_digest": (NfaError, (), "proof"),
    "bundle_format": (NfaError, (), "proof"),
    "bundle_json": (NfaError, (), "proof"),
    "bundle_limits": (NfaError, (), "proof"),
    "bundle_not_canonical": (NfaError, (), "proof"),
    "bundle_order": (NfaError, (), "proof"),
    "bundle_too_large": (NfaError, (), "proof"),
    "bundle_unreadable": (InputError, ("input",), "cli"),
    "bundle_version": (NfaError, (), "proof"),
    "cancelled": (RunCancelledError, ("cancelled",), "tool"),
    "checkpoint_conflict": (ConflictError, ("conflict",), "store"),
    "checkpoint_malformed": (NfaError, (), "proof"),
    "checkpoint_missing": (NfaError, (), "proof"),
    "checkpoint_rollback": (NfaError, (), "proof"),
    "checkpoint_unreadable": (InputError, ("input",), "cli"),
    "checkpoints_malformed": (NfaError, (), "proof"),
    "close_failed": (InternalError, ("internal",), "cli"),
    "command_failed": (InternalError, ("internal",), "tool"),
    "command_not_executable": (ConfigurationError, ("configuration",), "tool"),
    "command_not_found": (ConfigurationError, ("configuration",), "tool"),
    "command_not_started": (TransientError, ("transient",), "tool"),
    "commitment_mismatch": (NfaError, (), "proof"),
    "consistency_mismatch": (NfaError, (), "proof"),
    "consistency_proof_length": (NfaError, (), "proof"),
    "consistency_sizes": (NfaError, (), "proof"),
    "content_erased": (ContentErasedError, ("conflict",), "runtime"),
    "content_not_json": (InternalError, ("internal",), "runtime"),
    "content_unknown": (ConfigurationError, ("configuration",), "runtime"),
    "context_mismatch": (NfaError, (), "proof"),
    "context_not_disclosed": (NfaError, (), "proof"),
    "driver_gone": (TransientError, ("transient",), "runtime"),
    "driver_panicked": (InternalError, ("internal",), "runtime"),
    "duplicate_name": (InputError, ("input",), "spec"),
    "embedding_text_empty": (InputError, ("input",), "model"),
    "entries_malformed": (NfaError, (), "proof"),
    "entries_missing": (NfaError, (), "proof"),
    "entropy_unavailable": (ConfigurationError, ("configuration",), "store"),
    "entry_too_large": (InputError, ("input",), "store"),
    "envelope_corrupt": (InternalError, ("internal",), "store"),
    "envelope_malformed": (InternalError, ("internal",), "store"),
    "erasure_busy": (ConflictError, ("conflict",), "runtime"),
    "erasure_unsupported": (ConfigurationError, ("configuration",), "store"),
    "export_failed": (ConfigurationError, ("configuration",), "store"),
    "field_erased_and_disclosed": (NfaError, (), "proof"),
    "field_unknown": (InputError, ("input",), "proof"),
    "file_not_written": (InputError, ("input",), "cli"),
    "hasher_mismatch": (NfaError, (), "proof"),
    "http_connection_lost": (TransientError, ("transient",), "proof"),
    "http_redirect_refused": (ConfigurationError, ("configuration",), "proof"),
    "http_response_invalid": (ConfigurationError, ("configuration",), "proof"),
    "http_response_too_large": (ConfigurationError, ("configuration",), "proof"),
    "http_status": (NfaError, ("configuration", "transient"), "proof"),
    "http_timeout": (TransientError, ("transient",), "proof"),
    "http_tls": (ConfigurationError, ("configuration",), "proof"),
    "http_unreachable": (TransientError, ("transient",), "proof"),
    "http_url_invalid": (InputError, ("input",), "proof"),
    "inclusion_mismatch": (NfaError, (), "proof"),
    "inclusion_proof_length": (NfaError, (), "proof"),
    "index_order": (NfaError, (), "proof"),
    "index_out_of_range": (NfaError, (), "proof"),
    "input_unreadable": (InputError, ("input",), "cli"),
    "invalid_address": (InputError, ("input",), "store"),
    "invalid_idempotency_key": (InputError, ("input",), "store"),
    "invalid_log_id": (InputError, ("input",), "store"),
    "invalid_program_hash": (InputError, ("input",), "store"),
    "invalid_run_id": (InputError, ("input",), "store"),
    "invalid_step_path": (InputError, ("input",), "store"),
    "journal_malformed": (InternalError, ("internal",), "engine"),
    "key_event_hidden": (NfaError, (), "proof"),
    "key_event_invalid": (NfaError, (), "proof"),
    "key_malformed": (NfaError, (), "proof"),
    "keys_exposed": (ConfigurationError, ("configuration",), "store"),
    "keys_malformed": (NfaError, (), "proof"),
    "keys_missing": (ConfigurationError, ("configuration",), "store"),
    "leaf_algorithm": (NfaError, (), "proof"),
    "leaf_domain": (NfaError, (), "proof"),
    "leaf_duplicate": (NfaError, (), "proof"),
    "leaf_encoding": (NfaError, (), "proof"),
    "leaf_fields": (NfaError, (), "proof"),
    "leaf_kind": (NfaError, (), "proof"),
    "leaf_version": (NfaError, (), "proof"),
    "lease_held": (LeaseHeldError, ("conflict",), "store"),
    "lease_lapsed": (ConflictError, ("conflict",), "runtime"),
    "log_corrupt": (InternalError, ("internal",), "proof"),
    "log_damaged": (ConfigurationError, ("configuration",), "proof"),
    "log_key_cut_off": (NfaError, (), "proof"),
    "log_key_foreign": (InputError, ("input",), "proof"),
    "log_key_missing": (ConfigurationError, ("configuration",), "proof"),
    "log_key_newest": (ConflictError, ("conflict",), "proof"),
    "log_key_unknown": (NfaError, (), "proof"),
    "log_rolled_back": (NfaError, ("configuration", "conflict"), "proof"),
    "log_signature_missing": (NfaError, (), "proof"),
    "log_unknown": (InputError, ("input",), "store"),
    "log_unreadable": (InputError, ("input",), "cli"),
    "model_auth": (AuthenticationError, ("configuration",), "model"),
    "model_cancelled": (RunCancelledError, ("cancelled",), "model"),
    "model_circuit_open": (TransientError, ("transient",), "model"),
    "model_connection_lost": (TransientError, ("transient",), "model"),
    "model_context_length": (ContextLengthError, ("input",), "model"),
    "model_deadline_exceeded": (RunCancelledError, ("cancelled",), "model"),
    "model_fallbacks_exhausted": (NfaError, ("transient", "configuration", "input"), "model"),
    "model_key_invalid": (AuthenticationError, ("configuration",), "model"),
    "model_key_missing": (AuthenticationError, ("configuration",), "model"),
    "model_media_unsupported": (InputError, ("input",), "model"),
    "model_not_found": (ConfigurationError, ("configuration",), "model"),
    "model_overloaded": (TransientError, ("transient",), "model"),
    "model_quota": (ConfigurationError, ("configuration",), "model"),
    "model_rate_limit_wait": (RateLimitError, ("transient",), "model"),
    "model_rate_limited": (RateLimitError, ("transient",), "model"),
    "model_refused_connection": (TransientError, ("transient",), "model"),
    "model_request_invalid": (InputError, ("input",), "model"),
    "model_response_invalid": (TransientError, ("transient",), "model"),
    "model_response_too_large": (InputError, ("input",), "model"),
    "model_spec_invalid": (ConfigurationError, ("configuration",), "model"),
    "model_stream_ended": (InternalError, ("internal",), "model"),
    "model_timeout_connect": (ModelTimeoutError, ("transient",), "model"),
    "model_timeout_first_token": (ModelTimeoutError, ("transient",), "model"),
    "model_timeout_gap": (ModelTimeoutError, ("transient",), "model"),
    "model_timeout_headers": (ModelTimeoutError, ("transient",), "model"),
    "model_timeout_total": (ModelTimeoutError, ("transient",), "model"),
    "model_tls": (ConfigurationError, ("configuration",), "model"),
    "model_unavailable": (TransientError, ("transient",), "model"),
    "model_unknown_provider": (ConfigurationError, ("configuration",), "model"),
    "no_anchor": (ConfigurationError, ("configuration",), "proof"),
    "no_tokio_runtime": (InputError, ("input",), "runtime"),
    "node_missing": (NfaError, (), "proof"),
    "not_checkpointed": (TransientError, ("transient",), "proof"),
    "not_registered": (NotRegisteredError, ("configuration",), "runtime"),
    "note_malformed": (NfaError, (), "proof"),
    "nothing_recorded": (InputError, ("input",), "proof"),
    "number_not_canonical": (InputError, ("input",), "spec"),
    "openings_malformed": (InternalError, ("internal",), "proof"),
    "origin_mismatch": (NfaError, (), "proof"),
    "output_invalid": (OutputInvalidError, ("transient",), "engine"),
    "output_mismatch": (OutputMismatchError, ("input",), "runtime"),
    "output_missing": (InputError, ("input",), "runtime"),
    "panicked": (InternalError, ("internal",), "runtime"),
    "policy_malformed": (InputError, ("input",), "proof"),
    "price_table_invalid": (InputError, ("input",), "model"),
    "program_invalid": (InputError, ("input",), "spec"),
    "program_mismatch": (ProgramMismatchError, ("conflict",), "engine"),
    "program_too_large": (InputError, ("input",), "spec"),
    "program_too_new": (InputError, ("input",), "spec"),
    "proof_off": (ConfigurationError, ("configuration",), "proof"),
    "recording_failed": (ConfigurationError, ("configuration",), "model"),
    "recording_invalid": (InputError, ("input",), "model"),
    "replay_unmatched": (InputError, ("input",), "model"),
    "replay_unused": (InputError, ("input",), "model"),
    "report_unwritable": (InternalError, ("internal",), "proof"),
    "root_mismatch": (NfaError, (), "proof"),
    "run_ambiguous": (InputError, ("input",), "cli"),
    "run_exists": (ConflictError, ("conflict",), "store"),
    "run_stopped": (ConflictError, ("conflict",), "cli"),
    "run_unknown": (RunUnknownError, ("input",), "store"),
    "runtime_closed": (InputError, ("input",), "runtime"),
    "schema_invalid": (InputError, ("input",), "spec"),
    "script_exhausted": (InputError, ("input",), "model"),
    "seal_failed": (InputError, ("input",), "store"),
    "sequence_conflict": (NfaError, (), "proof"),
    "sequence_gap": (NfaError, (), "proof"),
    "session_busy": (SessionBusyError, ("conflict",), "runtime"),
    "session_moved_on": (ConflictError, ("conflict",), "runtime"),
    "session_unknown": (InputError, ("input",), "cli"),
    "signals_unavailable": (ConfigurationError, ("configuration",), "cli"),
    "signature_invalid": (NfaError, (), "proof"),
    "stale_writer": (ConflictError, ("conflict",), "store"),
    "step_not_asked": (InputError, ("input",), "cli"),
    "store_busy": (TransientError, ("transient",), "store"),
    "store_closed": (ConfigurationError, ("configuration",), "store"),
    "store_corrupt": (ConfigurationError, ("configuration",), "store"),
    "store_failed": (ConfigurationError, ("configuration",), "store"),
    "store_foreign": (ConfigurationError, ("configuration",), "store"),
    "store_missing": (InputError, ("input",), "cli"),
    "store_too_new": (ConfigurationError, ("configuration",), "store"),
    "store_url_invalid": (InputError, ("input",), "store"),
    "stream_truncated": (TransientError, ("transient",), "model"),
    "tile_malformed": (NfaError, (), "proof"),
    "tile_mismatch": (NfaError, (), "proof"),
    "tile_missing": (NfaError, (), "proof"),
    "tool_failed": (ToolFailedError, ("internal",), "tool"),
    "tool_invalid": (InputError, ("input",), "spec"),
    "tool_needs_code": (InputError, ("input",), "cli"),
    "tool_not_transactional": (ConfigurationError, ("configuration",), "runtime"),
    "tool_output_not_json": (InternalError, ("internal",), "tool"),
    "tree_size": (NfaError, (), "proof"),
    "turn_limit": (InputError, ("input",), "engine"),
    "unknown_agent": (InputError, ("input",), "spec"),
    "unknown_entry": (ConfigurationError, ("configuration",), "engine"),
    "unknown_tool": (InputError, ("input",), "spec"),
    "usage": (InputError, ("input",), "cli"),
    "user_unknown": (InputError, ("input",), "cli"),
    "witness_log_unknown": (ConflictError, ("conflict",), "proof"),
    "witness_malformed": (InputError, ("input",), "cli"),
    "witness_refused": (ConflictError, ("conflict",), "proof"),
    "witnesses_missing": (TransientError, ("transient",), "proof"),
}
"""Every code: its class (`NfaError` where the category of the error at hand decides), the categories that it
comes with (none for one of the verifier of proofs), and the part that it is listed under."""


def error_class(code: str, category: str) -> type[NfaError]:
    """The class of an error with this code and category; a code that is not known has its category's."""
    return BY_CODE.get(code) or BY_CATEGORY.get(category, NfaError)


def error_from(report: Mapping[str, Any]) -> NfaError:
    """An error as an exception: from what crosses the boundary, or from an outcome's report."""
    code, category = report["code"], report["category"]
    after = report.get("retry_after_ms")
    return error_class(code, category)(
        report["message"],
        code=code,
        category=category,
        component=report["component"],
        retryable=report["retryable"],
        retry_after=None if after is None else after / 1000,
        details=report.get("details"),
    )
