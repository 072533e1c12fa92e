/**
 * Agents: a model, instructions, tools and limits, under a name.
 *
 * @module
 */
import { InputError } from "./errors.js";
import { type HostModel, isHostModel } from "./host-model.js";
import { modelSpec, present, settingsSpec, type ModelOptions, type ModelSettings } from "./models.js";
import type { AgentSpec } from "./generated/types.js";
import { type InferOutput, isSchema, jsonSchemaOf, type Schema } from "./schema.js";
import { Tool } from "./tool.js";

/** Where a run stops; each limit is an outcome, not an error. */
export interface Limits {
  /** Model calls of one run, sub-agents included. Default: 10. */
  readonly turns?: number;
  /** Tokens read and written by one run. */
  readonly tokens?: number;
  /** Cost of one run, in millionths of a US dollar, where prices are known. */
  readonly costMicroUsd?: number;
  /** Time from the start (or the last resume) to the end of a run, in milliseconds. */
  readonly wallTimeMs?: number;
  /** Tool calls that one answer may hold. Default: 64. */
  readonly parallelCalls?: number;
  /** Agents inside agents. Default: 8. */
  readonly depth?: number;
  /** Times that an answer which does not match the output schema goes back to the model. Default: 2. */
  readonly outputRetries?: number;
}

/** A program as a tool: one JSON value on standard input, one on standard output. */
export interface CommandTool {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly name: string;
  /** What the model reads to know when to use it. */
  readonly description?: string;
  /** The program and its arguments; no shell is involved. */
  readonly argv: readonly string[];
  /** Names of environment variables that it may see, besides `PATH`. */
  readonly env?: readonly string[];
  /** What it takes. */
  readonly input?: Schema;
  /** What repeating a call means. Default: `at_most_once`. */
  readonly effect?: "pure" | "idempotent" | "keyed" | "at_most_once";
  /** Whether a person is asked first. */
  readonly approval?: "never" | "always";
  /** Wall time of one call, in milliseconds; default 60 seconds. */
  readonly timeoutMs?: number;
  /** Bytes of output after which it is stopped; default 1 MiB. */
  readonly maxOutputBytes?: number;
}

/** Another agent as a tool, with how it is called. Made by {@link Agent.asTool}. */
export interface AgentAsTool<Deps = unknown> {
  /** The agent. */
  readonly agent: Agent<unknown, Deps>;
  /** Whether it gets a run of its own, with its own journal. */
  readonly ownRun: boolean;
}

/** What an agent's `tools` may hold. */
export type ToolLike<Deps = never> =
  Tool<Deps, never, unknown> | Agent<unknown, Deps> | AgentAsTool<Deps> | CommandTool;

/** What the tools of an agent want to be given with a run. */
export type DepsOf<Tools extends readonly unknown[]> = Intersect<DepsOfOne<Tools[number]>>;

type DepsOfOne<T> =
  T extends Tool<infer Deps, never, unknown>
    ? Carrier<Deps>
    : T extends Agent<unknown, infer Deps>
      ? Carrier<Deps>
      : T extends AgentAsTool<infer Deps>
        ? Carrier<Deps>
        : never;

/** Keeps `unknown` and unions whole on the way through a distributive type. */
type Carrier<Deps> = (deps: Deps) => void;
type Intersect<Carriers> = [Carriers] extends [never]
  ? unknown
  : [Carriers] extends [(deps: infer Deps) => void]
    ? Deps
    : unknown;

/** The code that an agent's spec names. */
export interface AgentCode<Tools extends readonly Tool<any, never, unknown>[] = readonly Tool<any, never, unknown>[]> {
  /** The tools that the spec, or one inside it, names. */
  readonly tools?: Tools;
  /** Models of your own that it names. */
  readonly models?: readonly HostModel[];
}

/** What an agent is made of. */
export interface AgentOptions<
  Tools extends readonly ToolLike[] = readonly ToolLike[],
  Output extends Schema | undefined = Schema | undefined,
> {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly name: string;
  /** `provider/model`, the same with its settings, or a model of your own. */
  readonly model: string | ModelOptions | HostModel;
  /** Sampling and size, for a model given by name alone or as an object of your own. */
  readonly settings?: ModelSettings;
  /** What other agents read to know when to call this one or hand over to it. */
  readonly description?: string;
  /** The system prompt. */
  readonly instructions?: string;
  /** What it may call: tools, programs, other agents. */
  readonly tools?: Tools;
  /** Agents that it may hand the conversation over to: themselves, or by name where they are given elsewhere. */
  readonly handoffs?: ReadonlyArray<Agent<any, any> | string>;
  /** Where a run stops. */
  readonly limits?: Limits;
  /** What the final answer must be; `outcome.output` is of its type. */
  readonly output?: Output;
  /** How many of the session's latest runs the model sees; all when left out, none when 0. */
  readonly historyRuns?: number;
}

/** The type of an agent's final answer: its schema's, or its text. */
export type OutputOf<Output extends Schema | undefined> = [Output] extends [Schema] ? InferOutput<Output> : string;

/** A model, instructions, tools and limits, under a name. Made by {@link agent}; it never changes. */
export class Agent<Out = unknown, Deps = unknown> {
  /** Its name. */
  readonly name: string;
  /** The agent as data, with every agent that it names: what its runs are pinned to, but for its tools' specs. */
  readonly spec: AgentSpec;
  /** What its final answer must be, if that was given. */
  readonly output: Schema | undefined;
  /** @internal */
  readonly code: Code;
  /** Only for the compiler: what it answers, and what it wants to be given. */
  declare readonly "~types"?: { readonly output: Out; readonly deps: (deps: Deps) => void };

  /** @internal */
  constructor(name: string, output: Schema | undefined, spec: AgentSpec, code: Code) {
    this.name = name;
    this.output = output;
    this.spec = spec;
    this.code = code;
  }

  /**
   * An agent from data, such as an `AGENT.yaml` that was read, with the code that it names. Its output is JSON as the
   * model wrote it.
   */
  static fromSpec<const Tools extends readonly Tool<any, never, unknown>[] = readonly []>(
    spec: AgentSpec,
    { tools, models }: AgentCode<Tools> = {},
  ): Agent<unknown, DepsOf<Tools>> {
    const code = new Code();
    tools?.forEach((tool) => code.addTool(tool));
    models?.forEach((model) => code.addModel(model));
    return new Agent(spec.name, undefined, spec, code);
  }

  /** This agent as a tool of another; with `ownRun`, each call is a run of its own, with its own journal. */
  asTool(options: { readonly ownRun?: boolean } = {}): AgentAsTool<Deps> {
    return { agent: this as Agent<unknown, Deps>, ownRun: options.ownRun ?? false };
  }
}

/**
 * Makes an agent.
 *
 * ```ts
 * const helper = agent({
 *   name: "helper",
 *   model: "openai/gpt-5-mini",
 *   instructions: "Answer briefly.",
 *   tools: [weather],
 *   output: z.object({ rain: z.boolean() }),
 * });
 * ```
 *
 * The whole agent is checked when it first runs: `Runtime.register` does so earlier.
 *
 * @throws {@link InputError} for options of another shape, and for an output schema that has no JSON Schema.
 */
export function agent<
  const Tools extends readonly ToolLike[] = readonly [],
  Output extends Schema | undefined = undefined,
>(options: AgentOptions<Tools, Output>): Agent<OutputOf<Output>, DepsOf<Tools>> {
  const code = new Code();
  return new Agent(options.name, options.output, specOf(options as unknown as AgentOptions, code), code);
}

/** The code that the spec of an agent, and of those that it names, needs. @internal */
export class Code {
  readonly tools = new Map<string, Tool<any, never, unknown>>();
  readonly models = new Map<string, HostModel>();
  readonly agents = new Map<string, Agent<any, any>>();

  addTool(tool: Tool<any, never, unknown>): void {
    addTo(this.tools, tool.name, tool, "tools");
  }

  addModel(model: HostModel): void {
    addTo(this.models, model.name, model, "models");
  }

  addAgent(agent: Agent<any, any>): void {
    if (this.agents.get(agent.name) === agent) {
      return;
    }
    addTo(this.agents, agent.name, agent, "agents");
    for (const tool of agent.code.tools.values()) this.addTool(tool);
    for (const model of agent.code.models.values()) this.addModel(model);
    for (const inner of agent.code.agents.values()) this.addAgent(inner);
  }
}

function addTo<T>(map: Map<string, T>, name: string, value: T, what: string): void {
  const known = map.get(name);
  if (known !== undefined && known !== value) {
    throw new InputError(`two different ${what} are named \`${name}\`: rename one`, {
      code: "duplicate_name",
      component: "spec",
    });
  }
  map.set(name, value);
}

function specOf(options: AgentOptions, code: Code): AgentSpec {
  const { name, model, settings, description, instructions, tools, handoffs, limits, output, historyRuns } = options;
  if (typeof name !== "string" || model === undefined) {
    throw invalid("expected an agent with a `name` and a `model`");
  }
  if (output !== undefined && !isSchema(output)) {
    throw invalid(`expected \`output\` of agent \`${name}\` to be a Standard Schema or { jsonSchema }`);
  }
  const spec = {
    name,
    description,
    model: modelOf(model, settings, code),
    instructions,
    tools: (tools as readonly ToolLike<any>[] | undefined)?.map((tool) => toolRef(tool, name, code)),
    handoffs: handoffs?.map((other) => agentRef(other, code)),
    limits: limits === undefined ? undefined : limitsSpec(limits),
    output: output === undefined ? undefined : jsonSchemaOf(output, `agent \`${name}\``),
    memory: historyRuns === undefined ? undefined : { history: { runs: historyRuns } },
    agents: undefined as readonly AgentSpec[] | undefined,
  };
  if (code.agents.size > 0) {
    code.agents.delete(name);
    // Each comes with its own list of others; one flat list is enough.
    spec.agents = Array.from(code.agents.values(), ({ spec: { agents: _, ...own } }) => own);
  }
  return present(spec) as unknown as AgentSpec;
}

function modelOf(model: string | ModelOptions | HostModel, settings: ModelSettings | undefined, code: Code): unknown {
  if (isHostModel(model)) {
    code.addModel(model);
    return present({ name: model.name, settings: settings && settingsSpec(settings) });
  }
  if (settings === undefined) {
    return modelSpec(model);
  }
  const options = typeof model === "string" ? { name: model } : model;
  return modelSpec({ ...options, settings: { ...options.settings, ...settings } });
}

function toolRef(tool: ToolLike<any>, of: string, code: Code): unknown {
  if (tool instanceof Tool) {
    code.addTool(tool);
    return tool.name;
  }
  if (tool instanceof Agent) {
    return { agent: agentRef(tool, code) };
  }
  if ("agent" in tool && tool.agent instanceof Agent) {
    return present({ agent: agentRef(tool.agent, code), own_run: tool.ownRun || undefined });
  }
  if ("argv" in tool) {
    const { input, timeoutMs, maxOutputBytes, ...same } = tool;
    return present({
      ...same,
      parameters: input === undefined ? undefined : jsonSchemaOf(input, `tool \`${tool.name}\``),
      timeout_ms: timeoutMs,
      max_output_bytes: maxOutputBytes,
    });
  }
  throw invalid(
    `expected each of \`tools\` of agent \`${of}\` to be what \`tool()\` gives, another agent, or a program with \`argv\``,
  );
}

function agentRef(other: Agent<any, any> | string, code: Code): string {
  if (typeof other === "string") {
    return other;
  }
  code.addAgent(other);
  return other.name;
}

/** @internal */
export function limitsSpec(limits: Limits): Record<string, unknown> {
  const { costMicroUsd, wallTimeMs, parallelCalls, outputRetries, ...same } = limits;
  return present({
    cost_micro_usd: costMicroUsd,
    wall_time_ms: wallTimeMs,
    parallel_calls: parallelCalls,
    output_retries: outputRetries,
    ...same,
  });
}

function invalid(message: string): InputError {
  return new InputError(message, { code: "agent_invalid", component: "spec" });
}
