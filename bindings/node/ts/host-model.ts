/**
 * Models written in JavaScript.
 *
 * @module
 */
import type { ToolContext } from "./context.js";

/** What a model is asked; the shapes are those of nfa's JSON. */
export interface ModelRequest {
  /** The conversation, oldest first; every tool call in it has exactly one result. */
  readonly messages: readonly Message[];
  /** What it may call. */
  readonly tools: ReadonlyArray<{ readonly name: string; readonly description: string; readonly parameters: object }>;
  /** JSON Schema that the final answer should match. */
  readonly output_schema?: object;
  /** Sampling and size. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Whether somebody listens while it speaks. */
  readonly deltas: boolean;
}

/** One message of a conversation. */
export interface Message {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly parts: readonly Part[];
}

/** A part of a message. */
export type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | { readonly type: "refusal"; readonly text: string }
  | { readonly type: "tool_call"; readonly id: string; readonly name: string; readonly arguments: string }
  | {
      readonly type: "tool_result";
      readonly call_id: string;
      readonly name: string;
      readonly text: string;
      readonly is_error?: boolean;
    }
  | { readonly type: "media"; readonly media_type: string; readonly url: string; readonly name?: string }
  | { readonly type: "opaque"; readonly provider: string; readonly value: unknown };

/** A whole answer of a model. */
export interface ModelAnswer {
  readonly message: Message;
  readonly finish: "stop" | "tool_calls" | "length" | "content_filter" | "refusal" | "other";
  readonly usage?: { readonly input_tokens?: number; readonly output_tokens?: number };
  readonly model?: string;
  readonly response_id?: string;
}

/** A language model of your own. */
export interface HostModel {
  /** `provider/model`, for journals and messages. */
  readonly name: string;
  /** Asks for one answer. */
  generate(request: ModelRequest, context: ToolContext): ModelAnswer | Promise<ModelAnswer>;
}

/** @internal */
export function isHostModel(model: unknown): model is HostModel {
  return typeof (model as HostModel | undefined)?.generate === "function";
}
