/**
 * Which model an agent uses: a name, a name with its settings, or an object of your own.
 *
 * @module
 */

/** How much a model thinks before it answers. */
export type ReasoningEffort = "none" | "minimal" | "low" | "medium" | "high";

/** Sampling and size of an answer; what is left out is the provider's default. */
export interface ModelSettings {
  /** Randomness, 0 to 2. */
  readonly temperature?: number;
  /** Nucleus sampling, 0 to 1. */
  readonly topP?: number;
  /** Tokens that one answer may have. */
  readonly maxOutputTokens?: number;
  /** Seed, where the provider takes one. */
  readonly seed?: number;
  /** Texts at which the model stops. */
  readonly stop?: readonly string[];
  /** Whether one answer may hold several calls. */
  readonly parallelToolCalls?: boolean;
  /** How long the model may think before it answers. */
  readonly reasoningEffort?: ReasoningEffort;
  /** How long the provider is to keep the beginning of the conversation in its cache. */
  readonly promptCache?: "short" | "long";
  /** Fields of the provider's request that are not named here, sent as they are. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** A model and how it is asked. */
export interface ModelOptions {
  /** `provider/model`, such as `openai/gpt-5-mini`. */
  readonly name: string;
  /** Where the provider is, when it is not its usual place. */
  readonly baseUrl?: string;
  /** The environment variable that holds the key; never the key itself. */
  readonly apiKeyEnv?: string;
  /** `native` or `constrained`; decided by what the provider can do when left out. */
  readonly toolCalling?: "native" | "constrained";
  /** The provider's protocol, where it speaks several. */
  readonly wire?: "chat_completions" | "responses" | "messages" | "generate_content";
  /** More headers of every request; never a secret, since the spec is stored. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sampling and size. */
  readonly settings?: ModelSettings;
  /** Models that are asked in turn when this one cannot answer. */
  readonly fallback?: ReadonlyArray<string | ModelOptions>;
}

/** @internal */
export type ModelSpec = string | { readonly name: string; readonly [member: string]: unknown };

/** The model as the engine takes it. @internal */
export function modelSpec(model: string | ModelOptions): ModelSpec {
  if (typeof model === "string") {
    return model;
  }
  const { name, baseUrl, apiKeyEnv, toolCalling, wire, headers, settings, fallback, ...unknown } = model;
  return present({
    name,
    base_url: baseUrl,
    api_key_env: apiKeyEnv,
    tool_calling: toolCalling,
    wire,
    headers,
    settings: settings === undefined ? undefined : settingsSpec(settings),
    fallback: fallback?.map(modelSpec),
    // What is not known is the engine's to refuse, by its name.
    ...unknown,
  });
}

/** @internal */
export function settingsSpec(settings: ModelSettings): Record<string, unknown> {
  const { topP, maxOutputTokens, parallelToolCalls, reasoningEffort, promptCache, ...same } = settings;
  return present({
    top_p: topP,
    max_output_tokens: maxOutputTokens,
    parallel_tool_calls: parallelToolCalls,
    reasoning_effort: reasoningEffort,
    prompt_cache: promptCache,
    ...same,
  });
}

/** The members that are not `undefined`. @internal */
export function present<T extends object>(members: T): T {
  for (const key of Object.keys(members) as Array<keyof T>) {
    if (members[key] === undefined) {
      delete members[key];
    }
  }
  return members;
}
