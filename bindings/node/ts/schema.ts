/**
 * Schemas of tools and outputs: any Standard Schema, or a JSON Schema given by hand.
 *
 * @module
 */
import { InputError } from "./errors.js";

/** JSON Schema, 2020-12. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** One thing that is wrong with a value, as Standard Schema tells it. */
export interface SchemaIssue {
  /** What is wrong. */
  readonly message: string;
  /** Where. */
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

type Validated<Out> =
  { readonly value: Out; readonly issues?: undefined } | { readonly issues: ReadonlyArray<SchemaIssue> };

/** The part of [Standard Schema](https://standardschema.dev) that is used here: zod, valibot and arktype have it. */
export interface StandardSchema<In = unknown, Out = In> {
  /** What the specification puts under this name. */
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (
      value: unknown,
      options?: { readonly libraryOptions?: Record<string, unknown> | undefined } | undefined,
    ) => Validated<Out> | Promise<Validated<Out>>;
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}

/** A JSON Schema by hand, and perhaps a function that makes a value of your own type of what matches it. */
export interface PlainSchema<Out = unknown> {
  /** The JSON Schema (2020-12). */
  readonly jsonSchema: JsonSchema;
  /** Takes a value that matches `jsonSchema`; throws to refuse it. */
  readonly validate?: (value: unknown) => Out | Promise<Out>;
}

/** What describes a tool's input, or an agent's output. */
export type Schema<Out = any> = StandardSchema<any, Out> | PlainSchema<Out>;

/** The type of the values that a schema gives. */
export type InferOutput<S> = S extends {
  readonly "~standard": { readonly types?: { readonly output: infer Out } | undefined };
}
  ? Out
  : S extends PlainSchema<infer Out>
    ? Out
    : unknown;

/** How a value is told to be wrong: where, and what. */
export interface SchemaMismatch {
  /** Each place that is wrong. */
  readonly issues: ReadonlyArray<{ readonly path: string; readonly message: string }>;
}

type JsonSchemaConverter = (options: { readonly target: string }) => JsonSchema;

const TARGET = "draft-2020-12";

/**
 * The JSON Schema that a model is given for what this schema takes.
 *
 * @throws {@link InputError} `schema_not_json` for a schema that has no JSON Schema, and says what to do.
 */
export function jsonSchemaOf(schema: Schema, of: string): JsonSchema {
  const found = isStandard(schema) ? standardJsonSchema(schema, of) : schema.jsonSchema;
  if (typeof found !== "object" || found === null || Array.isArray(found)) {
    throw schemaNotJson(of, "its JSON Schema is no object");
  }
  // The dialect is always the same one, and the key would only cost tokens.
  const { $schema: _, ...rest } = found as Record<string, unknown>;
  return rest;
}

/** Whether a value is a schema at all. */
export function isSchema(value: unknown): value is Schema {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) {
    return false;
  }
  return "~standard" in value || "jsonSchema" in value;
}

/** Checks a value, and gives what the schema makes of it. */
export async function validate(schema: Schema, value: unknown): Promise<{ readonly value: unknown } | SchemaMismatch> {
  if (!isStandard(schema)) {
    return { value: schema.validate === undefined ? value : await schema.validate(value) };
  }
  const result = await schema["~standard"].validate(value);
  if (result.issues !== undefined) {
    return { issues: result.issues.map((issue) => ({ path: pathOf(issue), message: issue.message })) };
  }
  return { value: result.value };
}

/** What is wrong, on one line, for a model or a person. */
export function describe(mismatch: SchemaMismatch): string {
  return mismatch.issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ");
}

function isStandard(schema: Schema): schema is StandardSchema<any, any> {
  return "~standard" in schema;
}

function pathOf(issue: SchemaIssue): string {
  return (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
}

function standardJsonSchema(schema: StandardSchema, of: string): JsonSchema {
  const standard = schema["~standard"] as StandardSchema["~standard"] & {
    readonly jsonSchema?: { readonly input?: JsonSchemaConverter };
  };
  try {
    if (typeof standard.jsonSchema?.input === "function") {
      return standard.jsonSchema.input({ target: TARGET });
    }
    return byVendor(standard.vendor, schema, of);
  } catch (cause) {
    if (cause instanceof InputError) {
      throw cause;
    }
    throw schemaNotJson(of, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Of libraries, or versions of them, that do not have the JSON Schema part of Standard Schema yet. */
function byVendor(vendor: string, schema: StandardSchema, of: string): JsonSchema {
  switch (vendor) {
    case "zod": {
      const convert = optional<{ toJSONSchema?: (schema: unknown, options: object) => JsonSchema }>("zod", of);
      if (convert.toJSONSchema === undefined || !("_zod" in schema)) {
        throw schemaNotJson(of, "this version of zod cannot write JSON Schema: use zod 4 or later");
      }
      return convert.toJSONSchema(schema, { io: "input", target: TARGET });
    }
    case "arktype":
      return (schema as unknown as { toJsonSchema: () => JsonSchema }).toJsonSchema();
    case "valibot": {
      const convert = optional<{ toJsonSchema: (schema: unknown, options: object) => JsonSchema }>(
        "@valibot/to-json-schema",
        of,
      );
      return convert.toJsonSchema(schema, { typeMode: "input" });
    }
    default:
      throw schemaNotJson(
        of,
        `the library \`${vendor}\` has no \`~standard.jsonSchema\`: give \`{ jsonSchema, validate }\` instead`,
      );
  }
}

function optional<T>(name: string, of: string): T {
  try {
    // Loaded only where a schema needs it.
    return require(name) as T;
  } catch (cause) {
    throw schemaNotJson(of, `install \`${name}\` to write its JSON Schema`, cause);
  }
}

function schemaNotJson(of: string, why: string, cause?: unknown): InputError {
  return new InputError(`the schema of ${of} cannot be written as JSON Schema: ${why}`, {
    code: "schema_not_json",
    component: "spec",
    ...(cause === undefined ? {} : { cause }),
  });
}
