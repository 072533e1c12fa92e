/** Schemas of zod, arktype and valibot, and JSON Schema by hand: what the model is told, and what is checked. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { toJsonSchema } from "@valibot/to-json-schema";
import { agent, type HostModel, InputError, Runtime, type Schema, tool } from "nfa-runtime";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";

import { scripted } from "./support/scripted.mjs";

const EXPECTED = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "number" } },
  required: ["city", "days"],
};

const CITY: Record<string, Schema<{ city: string; days: number }>> = {
  zod: z.object({ city: z.string(), days: z.number() }),
  arktype: type({ city: "string", days: "number" }),
  valibot: v.object({ city: v.string(), days: v.number() }),
  "plain JSON Schema": { jsonSchema: EXPECTED },
};

for (const [library, input] of Object.entries(CITY)) {
  test(`a schema of ${library} is what the model is told, what arguments are checked by, and a type of output`, async () => {
    const seen: unknown[] = [];
    const weather = tool({ name: "weather", input, effect: "pure", run: (city) => void seen.push(city) });
    const { properties, required } = weather.spec.parameters as typeof EXPECTED;
    assert.deepEqual(properties, EXPECTED.properties);
    assert.deepEqual([...required].sort(), EXPECTED.required);
    assert.equal("$schema" in (weather.spec.parameters as object), false);

    const model = scripted(
      { calls: [{ name: "weather", arguments: { city: "Oslo" } }] },
      { calls: [{ name: "weather", arguments: { city: "Oslo", days: 2 } }] },
      '{"city":"Oslo","days":3}',
    );
    await using rt = await Runtime.open("memory:");
    const helper = agent({ name: "helper", model, tools: [weather], output: input });
    const outcome = await rt.run(helper, "go").outcome();
    assert.deepEqual(outcome.output, { city: "Oslo", days: 3 });
    assert.deepEqual(seen, [{ city: "Oslo", days: 2 }]);
    const [part] = model.requests[1]?.messages.at(-1)?.parts ?? [];
    assert.match(part?.type === "tool_result" ? part.text : "", /days/);
    assert.deepEqual(Object.keys(model.requests[0]?.tools[0] ?? {}).sort(), ["description", "name", "parameters"]);
  });
}

test("a description and a default of the schema reach the model", () => {
  const described = tool({
    name: "weather",
    input: z.object({ city: z.string().describe("its English name"), unit: z.enum(["c", "f"]).default("c") }),
    run: ({ unit }) => unit,
  });
  assert.deepEqual(described.spec.parameters, {
    type: "object",
    properties: {
      city: { type: "string", description: "its English name" },
      unit: { type: "string", enum: ["c", "f"], default: "c" },
    },
    required: ["city"],
  });
});

test("libraries without the JSON Schema part of Standard Schema are asked in their own way", () => {
  const without = <S extends Schema>(schema: S): S => {
    const standard = (schema as { "~standard": object })["~standard"];
    const bare = { ...standard, jsonSchema: undefined };
    return new Proxy(schema, { get: (target, key) => (key === "~standard" ? bare : Reflect.get(target, key)) });
  };
  for (const library of ["zod", "arktype", "valibot"]) {
    const named = tool({ name: "weather", input: without(CITY[library] as Schema), run: () => 1 });
    assert.deepEqual((named.spec.parameters as typeof EXPECTED).properties, EXPECTED.properties, library);
  }
  assert.ok(toJsonSchema(v.string()));
});

test("a schema that has no JSON Schema is refused, and says what to do", () => {
  const standard = { version: 1, vendor: "own", validate: (value: unknown) => ({ value }) } as const;
  assert.throws(
    () => tool({ name: "x", input: { "~standard": standard }, run: () => 1 }),
    (error) => {
      assert.ok(error instanceof InputError);
      assert.equal(error.code, "schema_not_json");
      assert.match(error.message, /tool `x`.*`own`.*\{ jsonSchema, validate \}/);
      return true;
    },
  );
  const bigint = z.object({ n: z.bigint() });
  assert.throws(() => tool({ name: "x", input: bigint, run: () => 1 }), { code: "schema_not_json" });
  const own = { ...standard, jsonSchema: { input: () => ({ type: "object" }) } };
  assert.deepEqual(tool({ name: "x", input: { "~standard": own }, run: () => 1 }).spec.parameters, { type: "object" });
});

test("`validate` of a plain schema makes a value of one's own, or refuses", async () => {
  class Day {
    constructor(readonly day: Date) {}
  }
  const input = {
    jsonSchema: { type: "object", properties: { day: { type: "string" } }, required: ["day"] },
    validate: (value: unknown): Day => {
      const day = new Date((value as { day: string }).day);
      if (Number.isNaN(day.getTime())) throw new RangeError("no day");
      return new Day(day);
    },
  };
  const seen: unknown[] = [];
  const when = tool({ name: "when", input, effect: "pure", run: (day) => void seen.push(day) });
  const model: HostModel & { requests: unknown } = scripted(
    { calls: [{ name: "when", arguments: { day: "someday" } }] },
    { calls: [{ name: "when", arguments: { day: "2026-11-28" } }] },
    '{"day":"never"}',
  );
  await using rt = await Runtime.open("memory:");
  const outcome = await rt.run(agent({ name: "helper", model, tools: [when], output: input }), "go").outcome();
  assert.ok(seen.length === 1 && seen[0] instanceof Day);
  assert.match(JSON.stringify(model.requests), /RangeError: no day/);
  assert.throws(() => outcome.output, { code: "output_mismatch", name: "InputError" });
});
