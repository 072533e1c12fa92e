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
    """No such run in this store.

    Codes: `run_unknown`.
    """


class OutputMismatchError(InputError):
    """The answer matches the schema, but is no value of your type.

    Codes: `output_mismatch`.
    """


class ContextLengthError(InputError):
    """The conversation does not fit the model.

    Codes: `model_context_length`.
    """


class RateLimitError(TransientError):
    """Too many requests or tokens for now.

    Codes: `model_rate_limited`, `model_rate_limit_wait`.
    """


class ModelTimeoutError(TransientError):
    """The model did not answer in time.

    Codes: `model_timeout_connect`, `model_timeout_headers`, `model_timeout_first_token`, `model_timeout_gap`, `model_timeout_total`.
    """


class OutputInvalidError(TransientError):
    """The model's answers did not match the output schema.

    Codes: `output_invalid`.
    """


class AuthenticationError(ConfigurationError):
    """The provider's key is missing or not accepted.

    Codes: `model_auth`, `model_key_missing`, `model_key_invalid`.
    """


class NotRegisteredError(ConfigurationError):
    """This process lacks the code of a tool or model of the run.

    Codes: `not_registered`.
    """


class SessionBusyError(ConflictError):
    """The session has an open run.

    Codes: `session_busy`.
    """


class LeaseHeldError(ConflictError):
    """Another process drives the run or sequences the log.

    Codes: `lease_held`.
    """


class AgentPausedError(ConflictError):
    """The agent takes no new runs until it is resumed.

    Codes: `agent_paused`.
    """


class ProgramMismatchError(ConflictError):
    """The run is pinned to another program.

    Codes: `program_mismatch`.
    """


class ContentErasedError(ConflictError):
    """The content, or its key, was erased.

    Codes: `content_erased`.
    """


class ForkedError(InputError):
    """The object was made before the process forked.

    Codes: `forked`.
    """


class HostClosedError(TransientError):
    """The event loop that serves a run's tools and models has ended.

    Codes: `host_closed`.
    """


class ProofInvalidError(InputError):
    """The proof does not hold, or not for the keys that were asked for; `details.verdict` says which.

    Codes: those that checking a proof gives.
    """


class ToolFailedError(InternalError):
    """A tool says that the run must stop.

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
    "forked": ForkedError,
    "host_closed": HostClosedError,
    "leaf_encoding": ProofInvalidError,
    "leaf_version": ProofInvalidError,
    "leaf_domain": ProofInvalidError,
    "leaf_kind": ProofInvalidError,
    "leaf_algorithm": ProofInvalidError,
    "note_malformed": ProofInvalidError,
    "key_malformed": ProofInvalidError,
    "checkpoint_malformed": ProofInvalidError,
    "checkpoint_missing": ProofInvalidError,
    "checkpoints_malformed": ProofInvalidError,
    "tile_missing": ProofInvalidError,
    "tile_malformed": ProofInvalidError,
    "entries_missing": ProofInvalidError,
    "entries_malformed": ProofInvalidError,
    "keys_malformed": ProofInvalidError,
    "bundle_too_large": ProofInvalidError,
    "bundle_json": ProofInvalidError,
    "bundle_format": ProofInvalidError,
    "bundle_version": ProofInvalidError,
    "bundle_not_canonical": ProofInvalidError,
    "bundle_limits": ProofInvalidError,
    "bundle_order": ProofInvalidError,
    "anchor_malformed": ProofInvalidError,
    "index_out_of_range": ProofInvalidError,
    "index_order": ProofInvalidError,
    "inclusion_proof_length": ProofInvalidError,
    "inclusion_mismatch": ProofInvalidError,
    "consistency_sizes": ProofInvalidError,
    "consistency_proof_length": ProofInvalidError,
    "consistency_mismatch": ProofInvalidError,
    "root_mismatch": ProofInvalidError,
    "tile_mismatch": ProofInvalidError,
    "checkpoint_conflict": ProofInvalidError,
    "checkpoint_rollback": ProofInvalidError,
    "signature_invalid": ProofInvalidError,
    "bundle_digest": ProofInvalidError,
    "origin_mismatch": ProofInvalidError,
    "hasher_mismatch": ProofInvalidError,
    "field_unknown": ProofInvalidError,
    "field_erased_and_disclosed": ProofInvalidError,
    "commitment_mismatch": ProofInvalidError,
    "context_not_disclosed": ProofInvalidError,
    "context_mismatch": ProofInvalidError,
    "sequence_conflict": ProofInvalidError,
    "sequence_gap": ProofInvalidError,
    "leaf_duplicate": ProofInvalidError,
    "key_event_invalid": ProofInvalidError,
    "anchor_mismatch": ProofInvalidError,
    "log_key_unknown": ProofInvalidError,
    "log_signature_missing": ProofInvalidError,
    "log_key_cut_off": ProofInvalidError,
    "key_event_hidden": ProofInvalidError,
    "witnesses_missing": ProofInvalidError,
    "tool_failed": ToolFailedError,
}
"""The codes that have a class of their own, which counts where the error is of its category."""

CODES: dict[str, tuple[type[NfaError], tuple[Category, ...], Component]] = {
    "agent_file_invalid": (InputError, ("input",), "cli"),
    "agent_file_syntax": (InputError, ("input",), "cli"),
    "agent_file_unreadable": (InputError, ("input",), "cli"),
    "agent_invalid": (InputError, ("input",), "spec"),
    "agent_paused": (AgentPausedError, ("conflict",), "runtime"),
    "agent_terminated": (InputError, ("input",), "runtime"),
    "anchor_answers": (InternalError, ("internal",), "proof"),
    "anchor_conflict": (ConflictError, ("conflict",), "proof"),
    "anchor_empty": (InputError, ("input",), "proof"),
    "anchor_malformed": (ProofInvalidError, ("input",), "proof"),
    "anchor_mismatch": (ProofInvalidError, ("input",), "proof"),
    "anchor_timeout": (TransientError, ("transient",), "proof"),
    "anchor_unreachable": (TransientError, ("transient",), "proof"),
    "arguments_not_json": (InternalError, ("internal",), "engine"),
    "batch_malformed": (InternalError, ("internal",), "store"),
    "binding_failed": (InternalError, ("internal",), "runtime"),
    "bundle_digest": (ProofInvalidError, ("input",), "proof"),
    "bundle_format": (ProofInvalidError, ("input",), "proof"),
    "bundle_json": (ProofInvalidError, ("input",), "proof"),
    "bundle_limits": (ProofInvalidError, ("input",), "proof"),
    "bundle_not_canonical": (ProofInvalidError, ("input",), "proof"),
    "bundle_order": (ProofInvalidError, ("input",), "proof"),
    "bundle_too_large": (ProofInvalidError, ("input",), "proof"),
    "bundle_unreadable": (InputError, ("input",), "cli"),
    "bundle_version": (ProofInvalidError, ("input",), "proof"),
    "call_cancelled": (RunCancelledError, ("cancelled",), "runtime"),
    "cancelled": (RunCancelledError, ("cancelled",), "tool"),
    "checkpoint_conflict": (NfaError, ("conflict", "input"), "store"),
    "checkpoint_malformed": (ProofInvalidError, ("input",), "proof"),
    "checkpoint_missing": (ProofInvalidError, ("input",), "proof"),
    "checkpoint_rollback": (ProofInvalidError, ("input",), "proof"),
    "checkpoint_unreadable": (InputError, ("input",), "cli"),
    "checkpoints_malformed": (ProofInvalidError, ("input",), "proof"),
    "close_failed": (InternalError, ("internal",), "cli"),
    "command_failed": (InternalError, ("internal",), "tool"),
    "command_not_executable": (ConfigurationError, ("configuration",), "tool"),
    "command_not_found": (ConfigurationError, ("configuration",), "tool"),
    "command_not_started": (TransientError, ("transient",), "tool"),
    "commitment_mismatch": (ProofInvalidError, ("input",), "proof"),
    "consistency_mismatch": (ProofInvalidError, ("input",), "proof"),
    "consistency_proof_length": (ProofInvalidError, ("input",), "proof"),
    "consistency_sizes": (ProofInvalidError, ("input",), "proof"),
    "content_erased": (ContentErasedError, ("conflict",), "runtime"),
    "content_not_json": (InternalError, ("internal",), "runtime"),
    "content_unknown": (ConfigurationError, ("configuration",), "runtime"),
    "context_mismatch": (ProofInvalidError, ("input",), "proof"),
    "context_not_disclosed": (ProofInvalidError, ("input",), "proof"),
    "driver_gone": (TransientError, ("transient",), "runtime"),
    "driver_panicked": (InternalError, ("internal",), "runtime"),
    "duplicate_name": (InputError, ("input",), "spec"),
    "embedding_text_empty": (InputError, ("input",), "model"),
    "engine_not_started": (ConfigurationError, ("configuration",), "runtime"),
    "engine_panicked": (InternalError, ("internal",), "runtime"),
    "entries_malformed": (ProofInvalidError, ("input",), "proof"),
    "entries_missing": (ProofInvalidError, ("input",), "proof"),
    "entropy_unavailable": (ConfigurationError, ("configuration",), "store"),
    "entry_too_large": (InputError, ("input",), "store"),
    "envelope_corrupt": (InternalError, ("internal",), "store"),
    "envelope_malformed": (InternalError, ("internal",), "store"),
    "erasure_busy": (ConflictError, ("conflict",), "runtime"),
    "erasure_unsupported": (ConfigurationError, ("configuration",), "store"),
    "export_failed": (ConfigurationError, ("configuration",), "store"),
    "field_erased_and_disclosed": (ProofInvalidError, ("input",), "proof"),
    "field_unknown": (ProofInvalidError, ("input",), "proof"),
    "file_not_written": (InputError, ("input",), "cli"),
    "forked": (ForkedError, ("input",), "runtime"),
    "handle_closed": (InputError, ("input",), "runtime"),
    "hasher_mismatch": (ProofInvalidError, ("input",), "proof"),
    "host_closed": (HostClosedError, ("transient",), "runtime"),
    "host_failed": (InternalError, ("internal",), "runtime"),
    "host_missing": (ConfigurationError, ("configuration",), "runtime"),
    "host_value_malformed": (InputError, ("input",), "runtime"),
    "http_connection_lost": (TransientError, ("transient",), "proof"),
    "http_redirect_refused": (ConfigurationError, ("configuration",), "proof"),
    "http_response_invalid": (ConfigurationError, ("configuration",), "proof"),
    "http_response_too_large": (ConfigurationError, ("configuration",), "proof"),
    "http_status": (NfaError, ("configuration", "transient"), "proof"),
    "http_timeout": (TransientError, ("transient",), "proof"),
    "http_tls": (ConfigurationError, ("configuration",), "proof"),
    "http_unreachable": (TransientError, ("transient",), "proof"),
    "http_url_invalid": (InputError, ("input",), "proof"),
    "inclusion_mismatch": (ProofInvalidError, ("input",), "proof"),
    "inclusion_proof_length": (ProofInvalidError, ("input",), "proof"),
    "index_order": (ProofInvalidError, ("input",), "proof"),
    "index_out_of_range": (ProofInvalidError, ("input",), "proof"),
    "input_malformed": (InputError, ("input",), "runtime"),
    "input_unreadable": (InputError, ("input",), "cli"),
    "invalid_address": (InputError, ("input",), "store"),
    "invalid_idempotency_key": (InputError, ("input",), "store"),
    "invalid_log_id": (InputError, ("input",), "store"),
    "invalid_program_hash": (InputError, ("input",), "store"),
    "invalid_run_id": (InputError, ("input",), "store"),
    "invalid_step_path": (InputError, ("input",), "store"),
    "journal_malformed": (InternalError, ("internal",), "engine"),
    "key_event_hidden": (ProofInvalidError, ("input",), "proof"),
    "key_event_invalid": (ProofInvalidError, ("input",), "proof"),
    "key_malformed": (ProofInvalidError, ("input",), "proof"),
    "keys_exposed": (ConfigurationError, ("configuration",), "store"),
    "keys_malformed": (ProofInvalidError, ("input",), "proof"),
    "keys_missing": (ConfigurationError, ("configuration",), "store"),
    "leaf_algorithm": (ProofInvalidError, ("input",), "proof"),
    "leaf_domain": (ProofInvalidError, ("input",), "proof"),
    "leaf_duplicate": (ProofInvalidError, ("input",), "proof"),
    "leaf_encoding": (ProofInvalidError, ("input",), "proof"),
    "leaf_fields": (InputError, ("input",), "proof"),
    "leaf_kind": (ProofInvalidError, ("input",), "proof"),
    "leaf_version": (ProofInvalidError, ("input",), "proof"),
    "lease_held": (LeaseHeldError, ("conflict",), "store"),
    "lease_lapsed": (ConflictError, ("conflict",), "runtime"),
    "log_corrupt": (InternalError, ("internal",), "proof"),
    "log_damaged": (ConfigurationError, ("configuration",), "proof"),
    "log_key_cut_off": (ProofInvalidError, ("input",), "proof"),
    "log_key_foreign": (InputError, ("input",), "proof"),
    "log_key_missing": (ConfigurationError, ("configuration",), "proof"),
    "log_key_newest": (ConflictError, ("conflict",), "proof"),
    "log_key_unknown": (ProofInvalidError, ("input",), "proof"),
    "log_rolled_back": (NfaError, ("configuration", "conflict"), "proof"),
    "log_signature_missing": (ProofInvalidError, ("input",), "proof"),
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
    "native_binding_missing": (ConfigurationError, ("configuration",), "runtime"),
    "no_anchor": (ConfigurationError, ("configuration",), "proof"),
    "no_event_loop": (InputError, ("input",), "runtime"),
    "no_tokio_runtime": (InputError, ("input",), "runtime"),
    "node_missing": (InputError, ("input",), "proof"),
    "not_checkpointed": (TransientError, ("transient",), "proof"),
    "not_registered": (NotRegisteredError, ("configuration",), "runtime"),
    "note_malformed": (ProofInvalidError, ("input",), "proof"),
    "nothing_recorded": (InputError, ("input",), "proof"),
    "number_not_canonical": (InputError, ("input",), "spec"),
    "openings_malformed": (InternalError, ("internal",), "proof"),
    "operation_malformed": (InputError, ("input",), "runtime"),
    "options_malformed": (InputError, ("input",), "runtime"),
    "origin_mismatch": (ProofInvalidError, ("input",), "proof"),
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
    "result_not_json": (InternalError, ("internal",), "runtime"),
    "root_mismatch": (ProofInvalidError, ("input",), "proof"),
    "run_ambiguous": (InputError, ("input",), "cli"),
    "run_exists": (ConflictError, ("conflict",), "store"),
    "run_not_finished": (InputError, ("input",), "runtime"),
    "run_not_heard": (InputError, ("input",), "runtime"),
    "run_not_started": (RunCancelledError, ("cancelled",), "runtime"),
    "run_started": (InputError, ("input",), "runtime"),
    "run_stopped": (ConflictError, ("conflict",), "cli"),
    "run_unknown": (RunUnknownError, ("input",), "store"),
    "runtime_closed": (InputError, ("input",), "runtime"),
    "runtime_not_open": (InputError, ("input",), "runtime"),
    "schema_invalid": (InputError, ("input",), "spec"),
    "schema_not_json": (InputError, ("input",), "runtime"),
    "script_exhausted": (InputError, ("input",), "model"),
    "seal_failed": (InputError, ("input",), "store"),
    "sequence_conflict": (ProofInvalidError, ("input",), "proof"),
    "sequence_gap": (ProofInvalidError, ("input",), "proof"),
    "session_busy": (SessionBusyError, ("conflict",), "runtime"),
    "session_moved_on": (ConflictError, ("conflict",), "runtime"),
    "session_unknown": (InputError, ("input",), "cli"),
    "signals_unavailable": (ConfigurationError, ("configuration",), "cli"),
    "signature_invalid": (ProofInvalidError, ("input",), "proof"),
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
    "tile_malformed": (ProofInvalidError, ("input",), "proof"),
    "tile_mismatch": (ProofInvalidError, ("input",), "proof"),
    "tile_missing": (ProofInvalidError, ("input",), "proof"),
    "tool_failed": (ToolFailedError, ("internal",), "tool"),
    "tool_invalid": (InputError, ("input",), "spec"),
    "tool_needs_code": (InputError, ("input",), "cli"),
    "tool_not_transactional": (ConfigurationError, ("configuration",), "runtime"),
    "tool_output_not_json": (InternalError, ("internal",), "tool"),
    "tree_size": (InputError, ("input",), "proof"),
    "turn_limit": (InputError, ("input",), "engine"),
    "unknown_agent": (InputError, ("input",), "spec"),
    "unknown_entry": (ConfigurationError, ("configuration",), "engine"),
    "unknown_tool": (InputError, ("input",), "spec"),
    "usage": (InputError, ("input",), "cli"),
    "user_unknown": (InputError, ("input",), "cli"),
    "witness_log_unknown": (ConflictError, ("conflict",), "proof"),
    "witness_malformed": (InputError, ("input",), "cli"),
    "witness_refused": (ConflictError, ("conflict",), "proof"),
    "witnesses_missing": (NfaError, ("input", "transient"), "proof"),
}
"""Every code: its class (`NfaError` where the category of the error at hand decides), the categories that it
comes with, and the part that it is listed under."""


def error_class(code: str, category: str) -> type[NfaError]:
    """The class of an error with this code and category; a code that is not known has its category's."""
    own = BY_CODE.get(code)
    if own is not None and own.category == category:
        return own
    return BY_CATEGORY.get(category, NfaError)


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
