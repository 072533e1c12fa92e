/**
 * Errors: the classes of the table that all languages share, and how they cross the border to the engine.
 *
 * @module
 */
import type { ErrorData, NfaError } from "./generated/errors.js";

export * from "./generated/errors.js";

/** An error as the engine takes it. */
export function errorData(error: NfaError): ErrorData {
  const { component, category, code, message, retryable, retryAfter, details } = error;
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
