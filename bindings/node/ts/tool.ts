/**
 * Tools: functions that a model may call, with a name, a schema and an effect class.
 *
 * @module
 */
import type { HostObject } from "./bridge.js";
import { InputError } from "./errors.js";
import type { ToolContext } from "./context.js";
import { toJson } from "./json.js";
import { describe, type InferOutput, isSchema, jsonSchemaOf, type JsonSchema, type Schema, validate } from "./schema.js";

/**
 * What repeating a call means:
 *
 * - `pure`: it touches nothing, and may run any number of times;
 * - `idempotent`: running it twice is the same as running it once;
 * - `keyed`: it passes `context.idempotencyKey` on, by which the other side knows a repetition;
 * - `transactional`: its writes join the store's own transaction; refused where the store cannot;
 * - `at_most_once`: it must not run twice. An interrupted call is reconciled by the tool, or decided by a person.
 */
export type Effect = "pure" | "idempotent" | "keyed" | "transactional" | "at_most_once";

/** Whether a person is asked before a tool runs. */
export type Approval = "never" | "always";

/** What became of a call that a crash interrupted. */
export type Reconciled<Out = unknown> =
  | { readonly status: "done"; readonly output: Out }
  | { readonly status: "not_done" }
  | { readonly status: "unknown" };

/** A tool's name, description, schema and function. */
export interface ToolOptions<In extends Schema | undefined, Out, Deps> {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly name: string;
  /** What the model reads to know when to use it. */
  readonly description?: string;
  /** What it takes: an object. Left out, it takes nothing. */
  readonly input?: In;
  /** What it gives, if that is to be checked too. */
  readonly output?: Schema<Out>;
  /** What repeating a call means. Default: `at_most_once`. */
  readonly effect?: Effect;
  /** Whether a person is asked first. Default: `never`. */
  readonly approval?: Approval;
  /** Wall time of one call, in milliseconds. */
  readonly timeoutMs?: number;
  /** Labels of your own, part of the program's hash. */
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * Performs one call. What it gives is what the model reads: a string as it is, anything else as JSON. What it
   * throws is told to the model as `Name: message`; {@link ToolError} says it in your words, and
   * {@link FatalToolError} stops the run.
   */
  readonly run: (input: InputOf<In>, context: ToolContext<Deps>) => Out | Promise<Out>;
  /** Finds out what became of an `at_most_once` call that a crash interrupted. */
  readonly reconcile?: (
    input: InputOf<In>,
    context: ToolContext<Deps>,
  ) => Reconciled<Out> | Promise<Reconciled<Out>>;
}

/** What a tool's function is given. */
export type InputOf<In extends Schema | undefined> = In extends Schema ? InferOutput<In> : Record<string, never>;

/** A tool as the engine knows it. */
export interface ToolSpec {
  readonly name: string;
  readonly description?: string;
  readonly parameters: JsonSchema;
  readonly effect?: Effect;
  readonly approval?: Approval;
  readonly timeout_ms?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** An error that the model is told of in exactly these words. */
export class ToolError extends Error {
  override readonly name = "ToolError";
}

/** An error that stops the run. */
export class FatalToolError extends Error {
  override readonly name = "FatalToolError";
}

const NO_INPUT: JsonSchema = { type: "object", properties: {} };

/** Something that an agent can do. Made by {@link tool}. */
export class Tool<Deps = unknown, Input = unknown, Out = unknown> {
  /** Its name. */
  readonly name: string;
  /** What the engine and the model are told of it. */
  readonly spec: ToolSpec;
  /** Performs one call with an input that is already what the schema gives; for tests of your own. */
  readonly run: (input: Input, context: ToolContext<Deps>) => Out | Promise<Out>;
  readonly #options: ToolOptions<Schema | undefined, Out, Deps>;

  /** @internal */
  constructor(options: ToolOptions<Schema | undefined, Out, Deps>) {
    this.name = options.name;
    this.spec = specOf(options);
    this.run = options.run as (input: Input, context: ToolContext<Deps>) => Out | Promise<Out>;
    this.#options = options;
  }

  /** Whether it can tell what became of an interrupted call. */
  get reconciles(): boolean {
    return this.#options.reconcile !== undefined;
  }

  /**
   * Performs one call with arguments as a model wrote them, and gives the JSON text of its result.
   *
   * @internal
   */
  async call(args: unknown, context: ToolContext<Deps>): Promise<string> {
    const input = await this.#input(args);
    return this.#json(await this.#options.run(input as never, context));
  }

  /** @internal */
  async reconcile(args: unknown, context: ToolContext<Deps>): Promise<string> {
    const { reconcile } = this.#options;
    if (reconcile === undefined) {
      return '{"status":"unknown"}';
    }
    const found = (await reconcile((await this.#input(args)) as never, context)) as Reconciled | undefined;
    switch (found?.status) {
      case "done":
        return `{"status":"done","output":${await this.#json(found.output as Out)}}`;
      case "not_done":
      case "unknown":
        return `{"status":"${found.status}"}`;
      default:
        throw new TypeError(
          `\`reconcile\` of tool \`${this.name}\` gives { status: "done", output }, { status: "not_done" } or { status: "unknown" }`,
        );
    }
  }

  async #input(args: unknown): Promise<unknown> {
    if (this.#options.input === undefined) {
      return args;
    }
    const checked = await validate(this.#options.input, args);
    if ("issues" in checked) {
      throw new ToolError(`the arguments do not match: ${describe(checked)}`);
    }
    return checked.value;
  }

  async #json(output: Out): Promise<string> {
    let value: unknown = output;
    if (this.#options.output !== undefined) {
      const checked = await validate(this.#options.output, output);
      if ("issues" in checked) {
        throw new TypeError(`tool \`${this.name}\` gave something else than its output schema says: ${describe(checked)}`);
      }
      value = checked.value;
    }
    return toJson(value);
  }
}

/**
 * Makes a tool.
 *
 * ```ts
 * const weather = tool({
 *   name: "weather",
 *   description: "Current weather in a city.",
 *   input: z.object({ city: z.string() }),
 *   effect: "pure",
 *   run: async ({ city }, { signal }) => (await fetch(`https://example.org/${city}`, { signal })).json(),
 * });
 * ```
 *
 * @throws {@link InputError} for a schema that has no JSON Schema, or options of another shape.
 */
export function tool<In extends Schema | undefined = undefined, Out = unknown, Deps = unknown>(
  options: ToolOptions<In, Out, Deps>,
): Tool<NoInfer<Deps>, InputOf<NoInfer<In>>, NoInfer<Out>> {
  // What it is made of says what it is, and not the list that it is written into.
  return new Tool(options as unknown as ToolOptions<Schema | undefined, Out, Deps>) as never;
}

/** A tool as the engine calls it. @internal */
export function toolObject(tool: Tool<any, never, unknown>): HostObject {
  return {
    methods: {
      call: (args, context) => tool.call(args, context as ToolContext<any>),
      reconcile: (args, context) => tool.reconcile(args, context as ToolContext<any>),
    },
    stated: (thrown) =>
      thrown instanceof FatalToolError
        ? { component: "tool", category: "internal", code: "tool_failed", message: thrown.message, retryable: false }
        : undefined,
  };
}

function specOf<Out, Deps>(options: ToolOptions<Schema | undefined, Out, Deps>): ToolSpec {
  if (typeof options?.name !== "string" || typeof options.run !== "function") {
    throw new InputError({
      code: "tool_invalid",
      component: "spec",
      message: "expected a tool with a `name` and a function `run`",
    });
  }
  if (options.input !== undefined && !isSchema(options.input)) {
    throw new InputError({
      code: "tool_invalid",
      component: "spec",
      message: `expected \`input\` of tool \`${options.name}\` to be a Standard Schema or { jsonSchema }`,
    });
  }
  const spec: { -readonly [Key in keyof ToolSpec]: ToolSpec[Key] } = {
    name: options.name,
    parameters: options.input === undefined ? NO_INPUT : jsonSchemaOf(options.input, `tool \`${options.name}\``),
  };
  if (options.description !== undefined) spec.description = options.description;
  if (options.effect !== undefined) spec.effect = options.effect;
  if (options.approval !== undefined) spec.approval = options.approval;
  if (options.timeoutMs !== undefined) spec.timeout_ms = options.timeoutMs;
  if (options.labels !== undefined) spec.labels = options.labels;
  return spec;
}
