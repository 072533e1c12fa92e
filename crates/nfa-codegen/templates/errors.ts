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

#CLASSES#
/** A class of errors. */
export type ErrorClass = typeof NfaError;

/** The class of each category. */
export const byCategory: Readonly<Record<Category, ErrorClass>> = {
#BY_CATEGORY#};

/** The codes that have a class of their own, which counts where the error is of its category. */
export const byCode: Readonly<Partial<Record<ErrorCode, ErrorClass>>> = {
#BY_CODE#};

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
#CODES#};

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
