/**
 * Models written in JavaScript.
 *
 * @module
 */
import type { HostObject } from "./bridge.js";
import type { ToolContext } from "./context.js";
import { errorData, InternalError, NfaError } from "./errors.js";
import type { ModelAnswerInput, ModelDelta, ModelRequest } from "./generated/types.js";
import { toJson } from "./json.js";
import { present } from "./models.js";

/** A piece of an answer under way, and at last the whole of it. */
export type ModelPiece = ModelDelta | { readonly type: "finished"; readonly answer: ModelAnswerInput };

/** What a model can do; what is left out is taken for possible. */
export interface ModelAbilities {
  /** How it is made to call tools. */
  readonly toolCalling?: "native" | "constrained";
  /** Whether it can call tools at all. */
  readonly tools?: boolean;
  /** Whether it holds to an output schema by itself. */
  readonly structuredOutput?: boolean;
  /** Whether it can be shown images. */
  readonly images?: boolean;
  /** Whether it can be given audio. */
  readonly audio?: boolean;
  /** Whether it can be shown video. */
  readonly video?: boolean;
  /** Whether it can be given other files. */
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
  ): ModelAnswerInput | Promise<ModelAnswerInput> | AsyncIterable<ModelPiece>;
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
    stated: (thrown) => (thrown instanceof NfaError ? errorData(thrown) : undefined),
  };
}

function isAsyncIterable(value: unknown): value is AsyncIterable<ModelPiece> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

async function followed(
  model: HostModel,
  deltas: AsyncIterable<ModelPiece>,
  stream: (item: string) => boolean,
): Promise<ModelAnswerInput | null> {
  for await (const delta of deltas) {
    if (delta.type === "finished") return delta.answer;
    // Nobody listens any more.
    if (!stream(toJson(delta))) return null;
  }
  throw new InternalError(`model \`${model.name}\` ended without { type: "finished", answer }`, {
    code: "model_stream_ended",
    component: "model",
  });
}
