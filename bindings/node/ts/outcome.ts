/**
 * How a run ended, with everything that it has.
 *
 * @module
 */
import { errorFrom, InputError, type NfaError } from "./errors.js";
import type { Ask, Limit, OutcomeStatus, OutcomeSummary, Receipt, Usage as UsageData } from "./generated/types.js";
import { describe, type Schema, validate } from "./schema.js";

/** Tokens and money of a run. */
export interface Usage {
  /** Tokens read, cached ones included. */
  readonly inputTokens: number;
  /** Tokens written, reasoning included. */
  readonly outputTokens: number;
  /** Of the tokens read, those that came from the provider's cache. */
  readonly cachedTokens: number;
  /** Of the tokens read, those that the provider put into its cache. */
  readonly cacheWriteTokens: number;
  /** Of the tokens written, those spent on reasoning. */
  readonly reasoningTokens: number;
  /** Cost in millionths of a US dollar, where prices are known. */
  readonly costMicroUsd: number;
}

/** @internal */
export interface OutcomeData extends OutcomeSummary {
  readonly asks: readonly Ask[];
  readonly receipt: Receipt;
}

/** How a run ended. A run that failed, was cancelled or hit a limit has an outcome, too: `status` tells. */
export class Outcome<Out = unknown> {
  /** The run. */
  readonly run: string;
  /** How it ended. */
  readonly status: OutcomeStatus;
  /** The final text; of a run that did not complete, the latest that the agent said. */
  readonly text: string;
  /** What it cost. */
  readonly usage: Usage;
  /** Why it failed, when it did. */
  readonly error: NfaError | undefined;
  /** The limit that stopped it, when one did. */
  readonly limit: Limit | undefined;
  /** What it waits for, when it waits. */
  readonly asks: readonly Ask[];
  /** Where its leaves stand in the proof log. */
  readonly receipt: Receipt;
  readonly #output: { readonly value: Out } | undefined;
  readonly #mismatch: NfaError | undefined;

  /** @internal */
  constructor(data: OutcomeData, output: { readonly value: Out } | undefined, mismatch?: NfaError) {
    this.run = data.run;
    this.status = data.status;
    this.text = data.text;
    this.usage = usageOf(data.usage);
    this.error = data.error === undefined ? undefined : errorFrom(data.error);
    this.limit = data.limit;
    this.asks = data.asks;
    this.receipt = data.receipt;
    this.#output = output;
    this.#mismatch = mismatch;
  }

  /**
   * The final answer: what the agent's output schema makes of it, or the text of an agent without one.
   *
   * @throws {@link NfaError} for a run that did not complete: why it failed, or `output_missing`.
   */
  get output(): Out {
    if (this.#output !== undefined) return this.#output.value;
    throw this.error ?? this.#mismatch ?? this.#missing();
  }

  /** Whether it ended with an answer. */
  get completed(): boolean {
    return this.status === "completed";
  }

  #missing(): InputError {
    const because = this.limit === undefined ? this.status : `${this.status}: ${this.limit}`;
    return new InputError(
      `the run has no output, since it did not complete (${because}): look at the outcome's status first`,
      { code: "output_missing", details: { run: this.run, status: this.status } },
    );
  }
}

/** The outcome of data, with its output as the schema makes it. @internal */
export async function outcomeOf<Out>(data: OutcomeData, schema: Schema | undefined): Promise<Outcome<Out>> {
  if (data.status !== "completed") return new Outcome<Out>(data, undefined);
  if (schema === undefined)
    return new Outcome<Out>(data, { value: (data.output === undefined ? data.text : data.output) as Out });
  try {
    const checked = await validate(schema, data.output);
    if ("value" in checked) return new Outcome<Out>(data, { value: checked.value as Out });
    return new Outcome<Out>(data, undefined, mismatch(describe(checked)));
  } catch (cause) {
    return new Outcome<Out>(data, undefined, mismatch(String(cause), cause));
  }
}

function mismatch(why: string, cause?: unknown): InputError {
  return new InputError(`the output matches its JSON Schema, but the schema's own check refuses it: ${why}`, {
    code: "output_mismatch",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** @internal */
export function usageOf(data: UsageData): Usage {
  return {
    inputTokens: data.input_tokens,
    outputTokens: data.output_tokens,
    cachedTokens: data.cached_tokens ?? 0,
    cacheWriteTokens: data.cache_write_tokens ?? 0,
    reasoningTokens: data.reasoning_tokens ?? 0,
    costMicroUsd: data.cost_micro_usd ?? 0,
  };
}
