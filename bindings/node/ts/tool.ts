/**
 * Tools: functions that a model may call, with a name, a schema and an effect class.
 *
 * @module
 */
import type { HostObject } from "./bridge.js";
import { type ErrorData, InputError } from "./errors.js";
import type { ToolContext } from "./context.js";
import type { Approval, Effect, ErrorCode, ToolSpec } from "./generated/types.js";
import { NotJson, toJson } from "./json.js";
import {
  describe,
  type InferOutput,
  isSchema,
  jsonSchemaOf,
  type JsonSchema,
  type Schema,
  validate,
} from "./schema.js";

/** What became of a call that a crash interrupted. */
export type Reconciled<Out = unknown> =
  { readonly status: "done"; readonly output: Out } | { readonly status: "not_done" } | { readonly status: "unknown" };

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
   * throws is told to the model as `Name: message`; {@link ToolError} says it in your words. {@link FatalToolError}
   * stops the run, and so does a value that JSON cannot hold.
   */
  readonly run: (input: InputOf<In>, context: ToolContext<Deps>) => Out | Promise<Out>;
  /** Finds out what became of an `at_most_once` call that a crash interrupted. */
  readonly reconcile?: (input: InputOf<In>, context: ToolContext<Deps>) => Reconciled<Out> | Promise<Reconciled<Out>>;
}

/** What a tool's function is given. */
export type InputOf<In extends Schema | undefined> = In extends Schema ? InferOutput<In> : Record<string, never>;

/** An error that the model is told of in exactly these words. */
export class ToolError extends Error {
  /** The name of the class. */
  override readonly name = "ToolError";
}

/** An error that stops the run. */
export class FatalToolError extends Error {
  /** The name of the class. */
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
        throw new TypeError(
          `tool \`${this.name}\` gave something else than its output schema says: ${describe(checked)}`,
        );
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
): Tool<Settled<Deps>, InputOf<Settled<In>>, Settled<Out>> {
  return new Tool(options as unknown as ToolOptions<Schema | undefined, Out, Deps>) as never;
}

/** The same type, which nothing is inferred from: what a tool is made of says what it is, not where it is put. */
type Settled<T> = [T][T extends unknown ? 0 : never];

/** A tool as the engine calls it. @internal */
export function toolObject(tool: Tool<any, never, unknown>): HostObject {
  return {
    methods: {
      call: (args, context) => tool.call(args, context as ToolContext<any>),
      reconcile: (args, context) => tool.reconcile(args, context as ToolContext<any>),
    },
    stated: (thrown) => {
      if (thrown instanceof FatalToolError) return fatal("tool_failed", thrown.message);
      if (!(thrown instanceof NotJson)) return undefined;
      return fatal(
        "tool_output_not_json",
        `the output of tool \`${tool.name}\` cannot be written as JSON: ${thrown.message}`,
      );
    },
  };
}

function fatal(code: ErrorCode, message: string): ErrorData {
  return { component: "tool", category: "internal", code, message, retryable: false };
}

function specOf<Out, Deps>(options: ToolOptions<Schema | undefined, Out, Deps>): ToolSpec {
  if (typeof options?.name !== "string" || typeof options.run !== "function") {
    throw new InputError("expected a tool with a `name` and a function `run`", {
      code: "tool_invalid",
      component: "spec",
    });
  }
  if (options.input !== undefined && !isSchema(options.input)) {
    throw new InputError(`expected \`input\` of tool \`${options.name}\` to be a Standard Schema or { jsonSchema }`, {
      code: "tool_invalid",
      component: "spec",
    });
  }
  const spec: ToolSpec = {
    name: options.name,
    parameters: options.input === undefined ? NO_INPUT : jsonSchemaOf(options.input, `tool \`${options.name}\``),
  };
  if (options.description !== undefined) spec.description = options.description;
  if (options.effect !== undefined) spec.effect = options.effect;
  if (options.approval !== undefined) spec.approval = options.approval;
  if (options.timeoutMs !== undefined) spec.timeout_ms = options.timeoutMs;
  if (options.labels !== undefined) spec.labels = { ...options.labels };
  return spec;
}
