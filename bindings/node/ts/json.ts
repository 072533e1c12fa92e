/**
 * Values of users as JSON text, or a reason why they have none.
 *
 * @module
 */

/** A value that JSON cannot hold. */
export class NotJson extends TypeError {
  static {
    this.prototype.name = "TypeError";
  }
}

/**
 * JSON text of a value. `undefined` becomes `null`; what JSON would drop or refuse (functions, symbols, BigInt,
 * cycles) is an error.
 *
 * @throws {@link NotJson}
 */
export function toJson(value: unknown): string {
  if (value === undefined) {
    return "null";
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new NotJson(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  if (text === undefined) {
    throw new NotJson(`a ${typeof value} has no JSON`);
  }
  return text;
}
