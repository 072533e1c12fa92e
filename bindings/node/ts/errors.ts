/**
 * Errors: one class for each category, told apart by their `code`.
 *
 * @module
 */

/** What a caller should do about an error. */
export type ErrorCategory =
  | "input"
  | "transient"
  | "configuration"
  | "conflict"
  | "cancelled"
  | "internal";

/** The part of nfa that reports an error. */
export type ErrorComponent =
  | "engine"
  | "runtime"
  | "spec"
  | "model"
  | "tool"
  | "guardrail"
  | "store"
  | "proof"
  | "cli";

/** An error as data. */
export interface ErrorReport {
  readonly component: ErrorComponent;
  readonly category: ErrorCategory;
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly retry_after_ms?: number;
  readonly details?: unknown;
}

/** What an error is made of. */
export interface NfaErrorOptions {
  readonly code: string;
  readonly message: string;
  readonly component?: ErrorComponent;
  readonly retryable?: boolean;
  readonly retryAfter?: number | undefined;
  readonly details?: unknown;
  readonly cause?: unknown;
}

/**
 * An error of nfa. `code` is stable and what programs look at; `message` is for people: what was expected, what
 * was found, what to do. The codes are listed in `docs/errors.md` of the project.
 */
export class NfaError extends Error {
  override readonly name: string = "NfaError";
  /** The stable code, in `snake_case`. */
  readonly code: string;
  /** What to do about it. */
  readonly category: ErrorCategory;
  /** The part that reports it. */
  readonly component: ErrorComponent;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** How long the other side asked to wait, in milliseconds, if it did. */
  readonly retryAfter: number | undefined;
  /** Machine-readable details, if there are any. */
  readonly details: unknown;

  constructor(category: ErrorCategory, options: NfaErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.category = category;
    this.component = options.component ?? "runtime";
    this.retryable = options.retryable ?? category === "transient";
    this.retryAfter = options.retryAfter;
    this.details = options.details;
  }

  /** The error as data. */
  toReport(): ErrorReport {
    const { component, category, code, message, retryable, retryAfter, details } = this;
    return {
      component,
      category,
      code,
      message,
      retryable,
      ...(retryAfter === undefined ? {} : { retry_after_ms: retryAfter }),
      ...(details === undefined ? {} : { details }),
    };
  }
}

/** Fix what was passed in. */
export class InputError extends NfaError {
  override readonly name = "InputError";
  constructor(options: NfaErrorOptions) {
    super("input", options);
  }
}

/** Wait and try again. */
export class TransientError extends NfaError {
  override readonly name = "TransientError";
  constructor(options: NfaErrorOptions) {
    super("transient", options);
  }
}

/** Change the configuration, a key, a file or a permission. */
export class ConfigurationError extends NfaError {
  override readonly name: string = "ConfigurationError";
  constructor(options: NfaErrorOptions) {
    super("configuration", options);
  }
}

/** Somebody else has moved on: look again, then decide. */
export class ConflictError extends NfaError {
  override readonly name = "ConflictError";
  constructor(options: NfaErrorOptions) {
    super("conflict", options);
  }
}

/** Stopped on request. */
export class RunCancelledError extends NfaError {
  override readonly name = "RunCancelledError";
  constructor(options: NfaErrorOptions) {
    super("cancelled", options);
  }
}

/** A defect: report it. */
export class InternalError extends NfaError {
  override readonly name = "InternalError";
  constructor(options: NfaErrorOptions) {
    super("internal", options);
  }
}

const CLASSES = {
  input: InputError,
  transient: TransientError,
  configuration: ConfigurationError,
  conflict: ConflictError,
  cancelled: RunCancelledError,
  internal: InternalError,
} as const;

/** The error that a report tells of, as the class of its category. */
export function errorOf(report: ErrorReport): NfaError {
  const { category, retry_after_ms: retryAfter, ...rest } = report;
  const Class = CLASSES[category] as (typeof CLASSES)[ErrorCategory] | undefined;
  const options = { ...rest, retryAfter };
  return Class === undefined ? new NfaError(category, options) : new Class(options);
}
