// Generated from docs/errors.md by `cargo xtask generate`: do not edit.

import type { Category, Component, ErrorCode } from "./types.js";

/** What an {@link NfaError} is made of besides its message. */
export interface ErrorOptions {
  /** The stable code, in `snake_case`. */
  code: ErrorCode | (string & {});
  /** The part that reports it; `runtime` when absent. */
  component?: Component;
  /** What to do about it; the class's own when absent. */
  category?: Category;
  /** Whether the same call may succeed later. */
  retryable?: boolean;
  /** How many milliseconds to wait before the next try, where that is known. */
  retryAfter?: number | undefined;
  /** What a program may want to know besides. */
  details?: unknown;
  /** What it comes from. */
  cause?: unknown;
}

/**
 * An error of nfa: what went wrong, where, and what the caller can do about it.
 *
 * Match on classes and on `code`, never on the message. `docs/errors.md` lists every code.
 */
export class NfaError extends Error {
  /** The stable code, in `snake_case`. */
  readonly code: ErrorCode | (string & {});
  /** What to do about it. */
  readonly category: Category;
  /** The part that reports it. */
  readonly component: Component;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** How many milliseconds to wait before the next try, where that is known. */
  readonly retryAfter: number | undefined;
  /** What a program may want to know besides; `undefined` when there is nothing. */
  readonly details: unknown;

  static {
    this.prototype.name = "NfaError";
  }

  /**
   * An error with a text for people and what programs match on.
   *
   * @param message - What was expected, what was found, what to do.
   * @param options - What programs match on.
   */
  constructor(message: string, options: ErrorOptions) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = options.code;
    this.category = options.category ?? categoryOf(new.target);
    this.component = options.component ?? "runtime";
    this.retryable = options.retryable ?? this.category === "transient";
    this.retryAfter = options.retryAfter;
    this.details = options.details;
  }
}

/** Category `input`. What to do: fix what was passed in. */
export class InputError extends NfaError {
  static {
    this.prototype.name = "InputError";
  }
}

/** Category `transient`. What to do: wait and try again; `retry_after` says how long, where it is known. Such errors are retryable. */
export class TransientError extends NfaError {
  static {
    this.prototype.name = "TransientError";
  }
}

/** Category `configuration`. What to do: change a setting, a key, a file or a permission. */
export class ConfigurationError extends NfaError {
  static {
    this.prototype.name = "ConfigurationError";
  }
}

/** Category `conflict`. What to do: somebody else has moved on: look again, then decide. */
export class ConflictError extends NfaError {
  static {
    this.prototype.name = "ConflictError";
  }
}

/** Category `cancelled`. What to do: nothing: it was asked for. */
export class RunCancelledError extends NfaError {
  static {
    this.prototype.name = "RunCancelledError";
  }
}

/** Category `internal`. What to do: a defect, of nfa or of the code that it called: report it. */
export class InternalError extends NfaError {
  static {
    this.prototype.name = "InternalError";
  }
}

/**
 * No such run in this store.
 *
 * Codes: `run_unknown`.
 */
export class RunUnknownError extends InputError {
  static {
    this.prototype.name = "RunUnknownError";
  }
}

/**
 * The answer matches the schema, but is no value of your type.
 *
 * Codes: `output_mismatch`.
 */
export class OutputMismatchError extends InputError {
  static {
    this.prototype.name = "OutputMismatchError";
  }
}

/**
 * The conversation does not fit the model.
 *
 * Codes: `model_context_length`.
 */
export class ContextLengthError extends InputError {
  static {
    this.prototype.name = "ContextLengthError";
  }
}

/**
 * Too many requests or tokens for now.
 *
 * Codes: `model_rate_limited`, `model_rate_limit_wait`.
 */
export class RateLimitError extends TransientError {
  static {
    this.prototype.name = "RateLimitError";
  }
}

/**
 * The model did not answer in time.
 *
 * Codes: `model_timeout_connect`, `model_timeout_headers`, `model_timeout_first_token`, `model_timeout_gap`, `model_timeout_total`.
 */
export class ModelTimeoutError extends TransientError {
  static {
    this.prototype.name = "ModelTimeoutError";
  }
}

/**
 * The model's answers did not match the output schema.
 *
 * Codes: `output_invalid`.
 */
export class OutputInvalidError extends TransientError {
  static {
    this.prototype.name = "OutputInvalidError";
  }
}

/**
 * The provider's key is missing or not accepted.
 *
 * Codes: `model_auth`, `model_key_missing`, `model_key_invalid`.
 */
export class AuthenticationError extends ConfigurationError {
  static {
    this.prototype.name = "AuthenticationError";
  }
}

/**
 * This process lacks the code of a tool or model of the run.
 *
 * Codes: `not_registered`.
 */
export class NotRegisteredError extends ConfigurationError {
  static {
    this.prototype.name = "NotRegisteredError";
  }
}

/**
 * The session has an open run.
 *
 * Codes: `session_busy`.
 */
export class SessionBusyError extends ConflictError {
  static {
    this.prototype.name = "SessionBusyError";
  }
}

/**
 * Another process drives the run or sequences the log.
 *
 * Codes: `lease_held`.
 */
export class LeaseHeldError extends ConflictError {
  static {
    this.prototype.name = "LeaseHeldError";
  }
}

/**
 * The agent takes no new runs until it is resumed.
 *
 * Codes: `agent_paused`.
 */
export class AgentPausedError extends ConflictError {
  static {
    this.prototype.name = "AgentPausedError";
  }
}

/**
 * The run is pinned to another program.
 *
 * Codes: `program_mismatch`.
 */
export class ProgramMismatchError extends ConflictError {
  static {
    this.prototype.name = "ProgramMismatchError";
  }
}

/**
 * The content, or its key, was erased.
 *
 * Codes: `content_erased`.
 */
export class ContentErasedError extends ConflictError {
  static {
    this.prototype.name = "ContentErasedError";
  }
}

/**
 * The object was made before the process forked.
 *
 * Codes: `forked`.
 */
export class ForkedError extends InputError {
  static {
    this.prototype.name = "ForkedError";
  }
}

/**
 * The event loop that serves a run's tools and models has ended.
 *
 * Codes: `host_closed`.
 */
export class HostClosedError extends TransientError {
  static {
    this.prototype.name = "HostClosedError";
  }
}

/**
 * The proof does not hold, or not for the keys that were asked for; `details.verdict` says which.
 *
 * Codes: those that checking a proof gives.
 */
export class ProofInvalidError extends InputError {
  static {
    this.prototype.name = "ProofInvalidError";
  }
}

/**
 * A tool says that the run must stop.
 *
 * Codes: `tool_failed`.
 */
export class ToolFailedError extends InternalError {
  static {
    this.prototype.name = "ToolFailedError";
  }
}

/** A class of errors. */
export type ErrorClass = typeof NfaError;

/** The class of each category. */
export const byCategory: Readonly<Record<Category, ErrorClass>> = {
  input: InputError,
  transient: TransientError,
  configuration: ConfigurationError,
  conflict: ConflictError,
  cancelled: RunCancelledError,
  internal: InternalError,
};

/** The codes that have a class of their own, which counts where the error is of its category. */
export const byCode: Readonly<Partial<Record<ErrorCode, ErrorClass>>> = {
  run_unknown: RunUnknownError,
  output_mismatch: OutputMismatchError,
  model_context_length: ContextLengthError,
  model_rate_limited: RateLimitError,
  model_rate_limit_wait: RateLimitError,
  model_timeout_connect: ModelTimeoutError,
  model_timeout_headers: ModelTimeoutError,
  model_timeout_first_token: ModelTimeoutError,
  model_timeout_gap: ModelTimeoutError,
  model_timeout_total: ModelTimeoutError,
  output_invalid: OutputInvalidError,
  model_auth: AuthenticationError,
  model_key_missing: AuthenticationError,
  model_key_invalid: AuthenticationError,
  not_registered: NotRegisteredError,
  session_busy: SessionBusyError,
  lease_held: LeaseHeldError,
  agent_paused: AgentPausedError,
  program_mismatch: ProgramMismatchError,
  content_erased: ContentErasedError,
  forked: ForkedError,
  host_closed: HostClosedError,
  leaf_encoding: ProofInvalidError,
  leaf_version: ProofInvalidError,
  leaf_domain: ProofInvalidError,
  leaf_kind: ProofInvalidError,
  leaf_algorithm: ProofInvalidError,
  note_malformed: ProofInvalidError,
  key_malformed: ProofInvalidError,
  checkpoint_malformed: ProofInvalidError,
  checkpoint_missing: ProofInvalidError,
  checkpoints_malformed: ProofInvalidError,
  tile_missing: ProofInvalidError,
  tile_malformed: ProofInvalidError,
  entries_missing: ProofInvalidError,
  entries_malformed: ProofInvalidError,
  keys_malformed: ProofInvalidError,
  bundle_too_large: ProofInvalidError,
  bundle_json: ProofInvalidError,
  bundle_format: ProofInvalidError,
  bundle_version: ProofInvalidError,
  bundle_not_canonical: ProofInvalidError,
  bundle_limits: ProofInvalidError,
  bundle_order: ProofInvalidError,
  anchor_malformed: ProofInvalidError,
  index_out_of_range: ProofInvalidError,
  index_order: ProofInvalidError,
  inclusion_proof_length: ProofInvalidError,
  inclusion_mismatch: ProofInvalidError,
  consistency_sizes: ProofInvalidError,
  consistency_proof_length: ProofInvalidError,
  consistency_mismatch: ProofInvalidError,
  root_mismatch: ProofInvalidError,
  tile_mismatch: ProofInvalidError,
  checkpoint_conflict: ProofInvalidError,
  checkpoint_rollback: ProofInvalidError,
  signature_invalid: ProofInvalidError,
  bundle_digest: ProofInvalidError,
  origin_mismatch: ProofInvalidError,
  hasher_mismatch: ProofInvalidError,
  field_unknown: ProofInvalidError,
  field_erased_and_disclosed: ProofInvalidError,
  commitment_mismatch: ProofInvalidError,
  context_not_disclosed: ProofInvalidError,
  context_mismatch: ProofInvalidError,
  sequence_conflict: ProofInvalidError,
  sequence_gap: ProofInvalidError,
  leaf_duplicate: ProofInvalidError,
  key_event_invalid: ProofInvalidError,
  anchor_mismatch: ProofInvalidError,
  log_key_unknown: ProofInvalidError,
  log_signature_missing: ProofInvalidError,
  log_key_cut_off: ProofInvalidError,
  key_event_hidden: ProofInvalidError,
  witnesses_missing: ProofInvalidError,
  tool_failed: ToolFailedError,
};

/** What is known of a code. */
export interface CodeInfo {
  /** Its class; {@link NfaError} where the category of the error at hand decides. */
  readonly class: ErrorClass;
  /** The categories that it comes with, the usual one first. */
  readonly categories: readonly Category[];
  /** The part that it is listed under. */
  readonly component: Component;
}

/** Every code. */
export const codes: Readonly<Record<ErrorCode, CodeInfo>> = {
  agent_file_invalid: { class: InputError, categories: ["input"], component: "cli" },
  agent_file_syntax: { class: InputError, categories: ["input"], component: "cli" },
  agent_file_unreadable: { class: InputError, categories: ["input"], component: "cli" },
  agent_invalid: { class: InputError, categories: ["input"], component: "spec" },
  agent_paused: { class: AgentPausedError, categories: ["conflict"], component: "runtime" },
  agent_terminated: { class: InputError, categories: ["input"], component: "runtime" },
  anchor_answers: { class: InternalError, categories: ["internal"], component: "proof" },
  anchor_conflict: { class: ConflictError, categories: ["conflict"], component: "proof" },
  anchor_empty: { class: InputError, categories: ["input"], component: "proof" },
  anchor_malformed: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  anchor_mismatch: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  anchor_timeout: { class: TransientError, categories: ["transient"], component: "proof" },
  anchor_unreachable: { class: TransientError, categories: ["transient"], component: "proof" },
  arguments_not_json: { class: InternalError, categories: ["internal"], component: "engine" },
  batch_malformed: { class: InternalError, categories: ["internal"], component: "store" },
  binding_failed: { class: InternalError, categories: ["internal"], component: "runtime" },
  bundle_digest: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  bundle_format: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  bundle_json: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  bundle_limits: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  bundle_not_canonical: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  bundle_order: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  bundle_too_large: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  bundle_unreadable: { class: InputError, categories: ["input"], component: "cli" },
  bundle_version: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  call_cancelled: { class: RunCancelledError, categories: ["cancelled"], component: "runtime" },
  cancelled: { class: RunCancelledError, categories: ["cancelled"], component: "tool" },
  checkpoint_conflict: { class: NfaError, categories: ["conflict", "input"], component: "store" },
  checkpoint_malformed: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  checkpoint_missing: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  checkpoint_rollback: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  checkpoint_unreadable: { class: InputError, categories: ["input"], component: "cli" },
  checkpoints_malformed: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  close_failed: { class: InternalError, categories: ["internal"], component: "cli" },
  command_failed: { class: InternalError, categories: ["internal"], component: "tool" },
  command_not_executable: { class: ConfigurationError, categories: ["configuration"], component: "tool" },
  command_not_found: { class: ConfigurationError, categories: ["configuration"], component: "tool" },
  command_not_started: { class: TransientError, categories: ["transient"], component: "tool" },
  commitment_mismatch: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  consistency_mismatch: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  consistency_proof_length: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  consistency_sizes: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  content_erased: { class: ContentErasedError, categories: ["conflict"], component: "runtime" },
  content_not_json: { class: InternalError, categories: ["internal"], component: "runtime" },
  content_unknown: { class: ConfigurationError, categories: ["configuration"], component: "runtime" },
  context_mismatch: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  context_not_disclosed: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  driver_gone: { class: TransientError, categories: ["transient"], component: "runtime" },
  driver_panicked: { class: InternalError, categories: ["internal"], component: "runtime" },
  duplicate_name: { class: InputError, categories: ["input"], component: "spec" },
  embedding_text_empty: { class: InputError, categories: ["input"], component: "model" },
  engine_not_started: { class: ConfigurationError, categories: ["configuration"], component: "runtime" },
  engine_panicked: { class: InternalError, categories: ["internal"], component: "runtime" },
  entries_malformed: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  entries_missing: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  entropy_unavailable: { class: ConfigurationError, categories: ["configuration"], component: "store" },
  entry_too_large: { class: InputError, categories: ["input"], component: "store" },
  envelope_corrupt: { class: InternalError, categories: ["internal"], component: "store" },
  envelope_malformed: { class: InternalError, categories: ["internal"], component: "store" },
  erasure_busy: { class: ConflictError, categories: ["conflict"], component: "runtime" },
  erasure_unsupported: { class: ConfigurationError, categories: ["configuration"], component: "store" },
  export_failed: { class: ConfigurationError, categories: ["configuration"], component: "store" },
  field_erased_and_disclosed: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  field_unknown: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  file_not_written: { class: InputError, categories: ["input"], component: "cli" },
  forked: { class: ForkedError, categories: ["input"], component: "runtime" },
  handle_closed: { class: InputError, categories: ["input"], component: "runtime" },
  hasher_mismatch: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  host_closed: { class: HostClosedError, categories: ["transient"], component: "runtime" },
  host_failed: { class: InternalError, categories: ["internal"], component: "runtime" },
  host_missing: { class: ConfigurationError, categories: ["configuration"], component: "runtime" },
  host_value_malformed: { class: InputError, categories: ["input"], component: "runtime" },
  http_connection_lost: { class: TransientError, categories: ["transient"], component: "proof" },
  http_redirect_refused: { class: ConfigurationError, categories: ["configuration"], component: "proof" },
  http_response_invalid: { class: ConfigurationError, categories: ["configuration"], component: "proof" },
  http_response_too_large: { class: ConfigurationError, categories: ["configuration"], component: "proof" },
  http_status: { class: NfaError, categories: ["configuration", "transient"], component: "proof" },
  http_timeout: { class: TransientError, categories: ["transient"], component: "proof" },
  http_tls: { class: ConfigurationError, categories: ["configuration"], component: "proof" },
  http_unreachable: { class: TransientError, categories: ["transient"], component: "proof" },
  http_url_invalid: { class: InputError, categories: ["input"], component: "proof" },
  inclusion_mismatch: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  inclusion_proof_length: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  index_order: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  index_out_of_range: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  input_malformed: { class: InputError, categories: ["input"], component: "runtime" },
  input_unreadable: { class: InputError, categories: ["input"], component: "cli" },
  invalid_address: { class: InputError, categories: ["input"], component: "store" },
  invalid_idempotency_key: { class: InputError, categories: ["input"], component: "store" },
  invalid_log_id: { class: InputError, categories: ["input"], component: "store" },
  invalid_program_hash: { class: InputError, categories: ["input"], component: "store" },
  invalid_run_id: { class: InputError, categories: ["input"], component: "store" },
  invalid_step_path: { class: InputError, categories: ["input"], component: "store" },
  journal_malformed: { class: InternalError, categories: ["internal"], component: "engine" },
  key_event_hidden: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  key_event_invalid: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  key_malformed: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  keys_exposed: { class: ConfigurationError, categories: ["configuration"], component: "store" },
  keys_malformed: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  keys_missing: { class: ConfigurationError, categories: ["configuration"], component: "store" },
  leaf_algorithm: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  leaf_domain: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  leaf_duplicate: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  leaf_encoding: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  leaf_fields: { class: InputError, categories: ["input"], component: "proof" },
  leaf_kind: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  leaf_version: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  lease_held: { class: LeaseHeldError, categories: ["conflict"], component: "store" },
  lease_lapsed: { class: ConflictError, categories: ["conflict"], component: "runtime" },
  log_corrupt: { class: InternalError, categories: ["internal"], component: "proof" },
  log_damaged: { class: ConfigurationError, categories: ["configuration"], component: "proof" },
  log_key_cut_off: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  log_key_foreign: { class: InputError, categories: ["input"], component: "proof" },
  log_key_missing: { class: ConfigurationError, categories: ["configuration"], component: "proof" },
  log_key_newest: { class: ConflictError, categories: ["conflict"], component: "proof" },
  log_key_unknown: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  log_rolled_back: { class: NfaError, categories: ["configuration", "conflict"], component: "proof" },
  log_signature_missing: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  log_unknown: { class: InputError, categories: ["input"], component: "store" },
  log_unreadable: { class: InputError, categories: ["input"], component: "cli" },
  model_auth: { class: AuthenticationError, categories: ["configuration"], component: "model" },
  model_cancelled: { class: RunCancelledError, categories: ["cancelled"], component: "model" },
  model_circuit_open: { class: TransientError, categories: ["transient"], component: "model" },
  model_connection_lost: { class: TransientError, categories: ["transient"], component: "model" },
  model_context_length: { class: ContextLengthError, categories: ["input"], component: "model" },
  model_deadline_exceeded: { class: RunCancelledError, categories: ["cancelled"], component: "model" },
  model_fallbacks_exhausted: { class: NfaError, categories: ["transient", "configuration", "input"], component: "model" },
  model_key_invalid: { class: AuthenticationError, categories: ["configuration"], component: "model" },
  model_key_missing: { class: AuthenticationError, categories: ["configuration"], component: "model" },
  model_media_unsupported: { class: InputError, categories: ["input"], component: "model" },
  model_not_found: { class: ConfigurationError, categories: ["configuration"], component: "model" },
  model_overloaded: { class: TransientError, categories: ["transient"], component: "model" },
  model_quota: { class: ConfigurationError, categories: ["configuration"], component: "model" },
  model_rate_limit_wait: { class: RateLimitError, categories: ["transient"], component: "model" },
  model_rate_limited: { class: RateLimitError, categories: ["transient"], component: "model" },
  model_refused_connection: { class: TransientError, categories: ["transient"], component: "model" },
  model_request_invalid: { class: InputError, categories: ["input"], component: "model" },
  model_response_invalid: { class: TransientError, categories: ["transient"], component: "model" },
  model_response_too_large: { class: InputError, categories: ["input"], component: "model" },
  model_spec_invalid: { class: ConfigurationError, categories: ["configuration"], component: "model" },
  model_stream_ended: { class: InternalError, categories: ["internal"], component: "model" },
  model_timeout_connect: { class: ModelTimeoutError, categories: ["transient"], component: "model" },
  model_timeout_first_token: { class: ModelTimeoutError, categories: ["transient"], component: "model" },
  model_timeout_gap: { class: ModelTimeoutError, categories: ["transient"], component: "model" },
  model_timeout_headers: { class: ModelTimeoutError, categories: ["transient"], component: "model" },
  model_timeout_total: { class: ModelTimeoutError, categories: ["transient"], component: "model" },
  model_tls: { class: ConfigurationError, categories: ["configuration"], component: "model" },
  model_unavailable: { class: TransientError, categories: ["transient"], component: "model" },
  model_unknown_provider: { class: ConfigurationError, categories: ["configuration"], component: "model" },
  native_binding_missing: { class: ConfigurationError, categories: ["configuration"], component: "runtime" },
  no_anchor: { class: ConfigurationError, categories: ["configuration"], component: "proof" },
  no_event_loop: { class: InputError, categories: ["input"], component: "runtime" },
  no_tokio_runtime: { class: InputError, categories: ["input"], component: "runtime" },
  node_missing: { class: InputError, categories: ["input"], component: "proof" },
  not_checkpointed: { class: TransientError, categories: ["transient"], component: "proof" },
  not_registered: { class: NotRegisteredError, categories: ["configuration"], component: "runtime" },
  note_malformed: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  nothing_recorded: { class: InputError, categories: ["input"], component: "proof" },
  number_not_canonical: { class: InputError, categories: ["input"], component: "spec" },
  openings_malformed: { class: InternalError, categories: ["internal"], component: "proof" },
  operation_malformed: { class: InputError, categories: ["input"], component: "runtime" },
  options_malformed: { class: InputError, categories: ["input"], component: "runtime" },
  origin_mismatch: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  output_invalid: { class: OutputInvalidError, categories: ["transient"], component: "engine" },
  output_mismatch: { class: OutputMismatchError, categories: ["input"], component: "runtime" },
  output_missing: { class: InputError, categories: ["input"], component: "runtime" },
  panicked: { class: InternalError, categories: ["internal"], component: "runtime" },
  policy_malformed: { class: InputError, categories: ["input"], component: "proof" },
  price_table_invalid: { class: InputError, categories: ["input"], component: "model" },
  program_invalid: { class: InputError, categories: ["input"], component: "spec" },
  program_mismatch: { class: ProgramMismatchError, categories: ["conflict"], component: "engine" },
  program_too_large: { class: InputError, categories: ["input"], component: "spec" },
  program_too_new: { class: InputError, categories: ["input"], component: "spec" },
  proof_off: { class: ConfigurationError, categories: ["configuration"], component: "proof" },
  recording_failed: { class: ConfigurationError, categories: ["configuration"], component: "model" },
  recording_invalid: { class: InputError, categories: ["input"], component: "model" },
  replay_unmatched: { class: InputError, categories: ["input"], component: "model" },
  replay_unused: { class: InputError, categories: ["input"], component: "model" },
  report_unwritable: { class: InternalError, categories: ["internal"], component: "proof" },
  result_not_json: { class: InternalError, categories: ["internal"], component: "runtime" },
  root_mismatch: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  run_ambiguous: { class: InputError, categories: ["input"], component: "cli" },
  run_exists: { class: ConflictError, categories: ["conflict"], component: "store" },
  run_not_finished: { class: InputError, categories: ["input"], component: "runtime" },
  run_not_heard: { class: InputError, categories: ["input"], component: "runtime" },
  run_not_started: { class: RunCancelledError, categories: ["cancelled"], component: "runtime" },
  run_started: { class: InputError, categories: ["input"], component: "runtime" },
  run_stopped: { class: ConflictError, categories: ["conflict"], component: "cli" },
  run_unknown: { class: RunUnknownError, categories: ["input"], component: "store" },
  runtime_closed: { class: InputError, categories: ["input"], component: "runtime" },
  runtime_not_open: { class: InputError, categories: ["input"], component: "runtime" },
  schema_invalid: { class: InputError, categories: ["input"], component: "spec" },
  schema_not_json: { class: InputError, categories: ["input"], component: "runtime" },
  script_exhausted: { class: InputError, categories: ["input"], component: "model" },
  seal_failed: { class: InputError, categories: ["input"], component: "store" },
  sequence_conflict: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  sequence_gap: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  session_busy: { class: SessionBusyError, categories: ["conflict"], component: "runtime" },
  session_moved_on: { class: ConflictError, categories: ["conflict"], component: "runtime" },
  session_unknown: { class: InputError, categories: ["input"], component: "cli" },
  signals_unavailable: { class: ConfigurationError, categories: ["configuration"], component: "cli" },
  signature_invalid: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  stale_writer: { class: ConflictError, categories: ["conflict"], component: "store" },
  step_not_asked: { class: InputError, categories: ["input"], component: "cli" },
  store_busy: { class: TransientError, categories: ["transient"], component: "store" },
  store_closed: { class: ConfigurationError, categories: ["configuration"], component: "store" },
  store_corrupt: { class: ConfigurationError, categories: ["configuration"], component: "store" },
  store_failed: { class: ConfigurationError, categories: ["configuration"], component: "store" },
  store_foreign: { class: ConfigurationError, categories: ["configuration"], component: "store" },
  store_missing: { class: InputError, categories: ["input"], component: "cli" },
  store_too_new: { class: ConfigurationError, categories: ["configuration"], component: "store" },
  store_url_invalid: { class: InputError, categories: ["input"], component: "store" },
  stream_truncated: { class: TransientError, categories: ["transient"], component: "model" },
  tile_malformed: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  tile_mismatch: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  tile_missing: { class: ProofInvalidError, categories: ["input"], component: "proof" },
  tool_failed: { class: ToolFailedError, categories: ["internal"], component: "tool" },
  tool_invalid: { class: InputError, categories: ["input"], component: "spec" },
  tool_needs_code: { class: InputError, categories: ["input"], component: "cli" },
  tool_not_transactional: { class: ConfigurationError, categories: ["configuration"], component: "runtime" },
  tool_output_not_json: { class: InternalError, categories: ["internal"], component: "tool" },
  tree_size: { class: InputError, categories: ["input"], component: "proof" },
  turn_limit: { class: InputError, categories: ["input"], component: "engine" },
  unknown_agent: { class: InputError, categories: ["input"], component: "spec" },
  unknown_entry: { class: ConfigurationError, categories: ["configuration"], component: "engine" },
  unknown_tool: { class: InputError, categories: ["input"], component: "spec" },
  usage: { class: InputError, categories: ["input"], component: "cli" },
  user_unknown: { class: InputError, categories: ["input"], component: "cli" },
  witness_log_unknown: { class: ConflictError, categories: ["conflict"], component: "proof" },
  witness_malformed: { class: InputError, categories: ["input"], component: "cli" },
  witness_refused: { class: ConflictError, categories: ["conflict"], component: "proof" },
  witnesses_missing: { class: NfaError, categories: ["input", "transient"], component: "proof" },
};

/**
 * The class of an error; a code that is not known has its category's.
 *
 * @param code - The error's code.
 * @param category - The error's category.
 */
export function errorClass(code: string, category: string): ErrorClass {
  const own = Object.hasOwn(byCode, code) ? byCode[code as ErrorCode] : undefined;
  if (own !== undefined && categoryOf(own) === category) return own;
  if (Object.hasOwn(byCategory, category)) return byCategory[category as Category];
  return NfaError;
}

/** An error as data, as it crosses the boundary. */
export interface ErrorData {
  /** The stable code. */
  code: string;
  /** What to do about it. */
  category: Category;
  /** The part that reports it. */
  component: Component;
  /** The text for people. */
  message: string;
  /** Whether the same call may succeed later. */
  retryable: boolean;
  /** How many milliseconds to wait before the next try. */
  retry_after_ms?: number | null;
  /** What a program may want to know besides. */
  details?: unknown;
}

/**
 * An error as an object to throw: from what crosses the boundary, or from an outcome's report.
 *
 * @param data - The error as data.
 */
export function errorFrom(data: ErrorData): NfaError {
  return new (errorClass(data.code, data.category))(data.message, {
    code: data.code,
    category: data.category,
    component: data.component,
    retryable: data.retryable,
    retryAfter: data.retry_after_ms ?? undefined,
    details: data.details ?? undefined,
  });
}

function categoryOf(kind: unknown): Category {
  for (const [category, known] of Object.entries(byCategory)) {
    if (kind === known || (kind as ErrorClass).prototype instanceof known) return category as Category;
  }
  return "internal";
}
