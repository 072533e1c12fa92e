/**
 * Models written in JavaScript.
 *
 * @module
 */
import type { HostObject } from "./bridge.js";
import type { ToolContext } from "./context.js";
import { InputError, NfaError } from "./errors.js";
import { toJson } from "./json.js";
import { present } from "./models.js";

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

/** A piece of an answer under way, and at last the whole of it. */
export type ModelDelta =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | { readonly type: "refusal"; readonly text: string }
  | { readonly type: "tool_call_started"; readonly index: number; readonly name: string }
  | { readonly type: "tool_call_arguments"; readonly index: number; readonly json: string }
  | { readonly type: "retracted"; readonly reason: string }
  | { readonly type: "finished"; readonly answer: ModelAnswer };

/** What a model can do; what is left out is taken for possible. */
export interface ModelAbilities {
  /** How it is made to call tools. */
  readonly toolCalling?: "native" | "constrained";
  /** Whether it can call tools at all. */
  readonly tools?: boolean;
  /** Whether it holds to an output schema by itself. */
  readonly structuredOutput?: boolean;
  readonly images?: boolean;
  readonly audio?: boolean;
  readonly video?: boolean;
  readonly files?: boolean;
  /** Tokens that request and answer may have together. */
  readonly contextTokens?: number;
}

/**
 * A language model of your own. An {@link NfaError} that it throws keeps its code and category, so a
 * {@link TransientError} is retried; anything else ends the run as `host_failed`.
 */
export interface HostModel {
  /** `provider/model`, for journals and messages. */
  readonly name: string;
  /** What it can do. */
  readonly abilities?: ModelAbilities;
  /** Asks for one answer: at once, or as deltas of which the last is `finished`. */
  generate(
    request: ModelRequest,
    context: ToolContext<any>,
  ): ModelAnswer | Promise<ModelAnswer> | AsyncIterable<ModelDelta>;
}

/** @internal */
export function isHostModel(model: unknown): model is HostModel {
  return typeof (model as HostModel | undefined)?.generate === "function";
}

/** @internal */
export function abilitiesOf({ abilities = {} }: HostModel): object {
  const { toolCalling, structuredOutput, contextTokens, ...same } = abilities;
  return present({
    tool_calling: toolCalling,
    structured_output: structuredOutput,
    context_tokens: contextTokens,
    ...same,
  });
}

/** A model as the engine calls it. @internal */
export function modelObject(model: HostModel): HostObject {
  return {
    methods: {
      generate: async (args, context, stream) => {
        const given = model.generate(args as ModelRequest, context as ToolContext<any>);
        return toJson(isAsyncIterable(given) ? await followed(model, given, stream) : await given);
      },
    },
    stated: (thrown) => (thrown instanceof NfaError ? thrown.toReport() : undefined),
  };
}

function isAsyncIterable(value: unknown): value is AsyncIterable<ModelDelta> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

async function followed(
  model: HostModel,
  deltas: AsyncIterable<ModelDelta>,
  stream: (item: string) => boolean,
): Promise<ModelAnswer | null> {
  for await (const delta of deltas) {
    if (delta.type === "finished") return delta.answer;
    // Nobody listens any more.
    if (!stream(toJson(delta))) return null;
  }
  throw new InputError({
    code: "model_stream_ended",
    component: "model",
    message: `model \`${model.name}\` ended without { type: "finished", answer }`,
  });
}
