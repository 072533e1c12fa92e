/** Tools in JavaScript: what they are given, and what becomes of everything that they can throw or give. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import { test } from "node:test";

import { agent, FatalToolError, NfaError, RunCancelledError, Runtime, tool, ToolContext, ToolError } from "nfa-runtime";
import { z } from "zod";

import { fakeLlm } from "./support/fake.mjs";
import { deferred } from "./support/deferred.mjs";
import { scripted } from "./support/scripted.mjs";

const Numbers = z.object({ a: z.number(), b: z.number() });

/** Runs one call of a tool that does this, and gives what the model was told of it. */
async function told(run: (input: { a: number; b: number }, context: ToolContext) => unknown): Promise<string> {
  await using fake = await fakeLlm("tools:1");
  await using rt = await Runtime.open("memory:");
  const add = tool({ name: "add", input: Numbers, effect: "pure", run });
  const running = rt.run(agent({ name: "helper", model: fake.model, tools: [add] }), "2 + 40?");
  let text: string | undefined;
  for await (const event of running) {
    if (event.type === "tool_finished") text = event.text;
  }
  const outcome = await running.outcome();
  assert.equal(outcome.text, "The answer is 42.", String(outcome.error));
  assert.ok(text !== undefined);
  return text;
}

test("a tool's value is what the model reads: text as it is, anything else as JSON", async () => {
  assert.equal(await told(({ a, b }) => a + b), "42");
  assert.equal(await told(() => "forty-two"), "forty-two");
  assert.equal(await told(async () => ({ sum: [42, null] })), '{"sum":[42,null]}');
  assert.equal(await told(() => undefined), "null");
});

test("a sync throw in a tool is an error of that tool, and the run goes on", async () => {
  assert.equal(
    await told(() => {
      throw new RangeError("too large");
    }),
    "RangeError: too large",
  );
});

test("a rejection of a tool is an error of that tool, and the run goes on", async () => {
  assert.equal(await told(() => Promise.reject(new Error("no network"))), "Error: no network");
  assert.equal(await told(() => Promise.reject("just text")), "thrown: just text");
  assert.equal(await told(() => Promise.reject(undefined)), "thrown: undefined");
});

test("something thrown that cannot even be written as text is an error of that tool", async () => {
  const told1 = await told(() => {
    throw Object.create(null);
  });
  assert.equal(told1, "thrown: something that cannot be written as text");
});

/** Runs one call of a tool that does this, and gives the error that stopped the run. */
async function stopped(run: () => unknown): Promise<NfaError> {
  await using fake = await fakeLlm("tools:1");
  await using rt = await Runtime.open("memory:");
  const add = tool({ name: "add", input: Numbers, effect: "pure", run });
  const outcome = await rt.run(agent({ name: "helper", model: fake.model, tools: [add] }), "2 + 40?").outcome();
  assert.equal(outcome.status, "failed");
  assert.ok(outcome.error !== undefined);
  return outcome.error;
}

test("a value that JSON cannot hold is an error of that tool: it stops the run, and never the process", async () => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  let deep: unknown = 1;
  for (let level = 0; level < 1000; level += 1) deep = [deep];
  const thrower = {
    toJSON() {
      throw new Error("toJSON says no");
    },
  };
  for (const [value, why] of [
    [42n, /BigInt/],
    [{ deep: 42n }, /BigInt/],
    [cycle, /circular/],
    [() => 42, /a function has no JSON/],
    [Symbol("x"), /a symbol has no JSON/],
    [thrower, /toJSON says no/],
    ["\ud800", /surrogate|escape/i],
    [deep, /recursion/],
  ] as const) {
    const error = await stopped(() => value);
    assert.deepEqual([error.code, error.category, error.component], ["tool_output_not_json", "internal", "tool"]);
    assert.match(error.message, why);
  }
});

test("a value of the wrong type is an error of that tool where it has an output schema", async () => {
  const checked = tool({
    name: "add",
    input: Numbers,
    output: z.number(),
    effect: "pure",
    run: () => "forty-two" as unknown as number,
  });
  const model = scripted({ calls: [{ name: "add", arguments: { a: 2, b: 40 } }] }, "done");
  await using rt = await Runtime.open("memory:");
  const outcome = await rt.run(agent({ name: "helper", model, tools: [checked] }), "go").outcome();
  assert.equal(outcome.text, "done");
  const result = model.requests[1]?.messages.at(-1)?.parts[0];
  assert.ok(result?.type === "tool_result" && result.is_error);
  assert.match(result.text, /^TypeError: tool `add` gave something else than its output schema says/);
});

test("ToolError says exactly its words to the model, FatalToolError stops the run", async () => {
  assert.equal(
    await told(() => {
      throw new ToolError("try smaller numbers");
    }),
    "try smaller numbers",
  );
  await using fake = await fakeLlm("tools:1");
  await using rt = await Runtime.open("memory:");
  const add = tool({
    name: "add",
    input: Numbers,
    run: () => {
      throw new FatalToolError("the ledger is gone");
    },
  });
  const outcome = await rt.run(agent({ name: "helper", model: fake.model, tools: [add] }), "go").outcome();
  assert.equal(outcome.status, "failed");
  assert.ok(outcome.error instanceof NfaError);
  assert.equal(outcome.error.message, "the ledger is gone");
  assert.equal(outcome.error.component, "tool");
  assert.throws(() => outcome.output, outcome.error);
});

test("arguments that the schema's own check refuses go back to the model, with their place", async () => {
  const even = tool({
    name: "even",
    input: z.object({ n: z.number().refine((n) => n % 2 === 0, "must be even") }),
    effect: "pure",
    run: ({ n }) => n,
  });
  const model = scripted(
    { calls: [{ name: "even", arguments: { n: 3 } }] },
    { calls: [{ name: "even", arguments: { n: 4 } }] },
    "done",
  );
  await using rt = await Runtime.open("memory:");
  await rt.run(agent({ name: "helper", model, tools: [even] }), "go").outcome();
  const texts = model.requests.at(-1)?.messages.flatMap((message) => message.parts);
  const results = texts?.filter((part) => part.type === "tool_result").map((part) => part.text);
  assert.deepEqual(results, ["the arguments do not match: n: must be even", "4"]);
});

test("what a schema transforms is what the tool is given", async () => {
  const when = tool({
    name: "when",
    input: z.object({ day: z.string().transform((day) => new Date(day)), zone: z.string().default("UTC") }),
    effect: "pure",
    run: ({ day, zone }) => `${day.getUTCFullYear()} ${zone}`,
  });
  const model = scripted({ calls: [{ name: "when", arguments: { day: "2026-11-28" } }] }, "done");
  await using rt = await Runtime.open("memory:");
  await rt.run(agent({ name: "helper", model, tools: [when] }), "go").outcome();
  const result = model.requests[1]?.messages.at(-1)?.parts[0];
  assert.equal(result?.type === "tool_result" && result.text, "2026 UTC");
});

test("the context names run, step, attempt, agent and session, and carries the run's dependencies", async () => {
  await using fake = await fakeLlm("tools:1");
  await using rt = await Runtime.open("memory:");
  let seen: ToolContext<{ readonly db: string }> | undefined;
  const add = tool({
    name: "add",
    input: Numbers,
    timeoutMs: 60_000,
    run: ({ a, b }, context: ToolContext<{ readonly db: string }>) => {
      seen = context;
      return a + b;
    },
  });
  const deps = { db: "ledger" };
  const helper = agent({ name: "helper", model: fake.model, tools: [add] });
  const outcome = await rt.run(helper, "go", { deps, session: "alice" }).outcome();
  assert.ok(seen !== undefined);
  assert.equal(seen.deps, deps);
  assert.equal(seen.run, outcome.run);
  assert.deepEqual([seen.step, seen.attempt, seen.agent, seen.session], ["2", 1, "helper", "alice"]);
  assert.match(seen.idempotencyKey, /^[0-9a-f]{32}$/);
  assert.ok(seen.deadline !== undefined && seen.deadline.getTime() > Date.now());
  assert.equal(seen.cancelled, false);
});

test("a tool runs in the async context of whoever started the run", async () => {
  const who = new AsyncLocalStorage<string>();
  await using fake = await fakeLlm("tools:1");
  await using rt = await Runtime.open("memory:");
  const seen: Array<string | undefined> = [];
  const add = tool({ name: "add", input: Numbers, effect: "pure", run: () => seen.push(who.getStore()) });
  const helper = agent({ name: "helper", model: fake.model, tools: [add] });
  const one = who.run("alice", () => rt.run(helper, "go").outcome());
  const other = who.run("bob", () => rt.run(helper, "go").outcome());
  await Promise.all([one, other]);
  assert.deepEqual(seen.sort(), ["alice", "bob"]);
});

test("an abort of the run reaches the tool's signal, and the run is cancelled", async () => {
  await using fake = await fakeLlm("tools:1");
  await using rt = await Runtime.open("memory:");
  const controller = new AbortController();
  const heard = deferred<unknown>();
  const add = tool({
    name: "add",
    input: Numbers,
    run: async (_, { signal }) => {
      setImmediate(() => controller.abort());
      await once(signal, "abort");
      heard.resolve(signal.reason);
      throw signal.reason;
    },
  });
  const helper = agent({ name: "helper", model: fake.model, tools: [add] });
  const outcome = await rt.run(helper, "go", { signal: controller.signal }).outcome();
  assert.equal(outcome.status, "cancelled");
  const reason = await heard.promise;
  assert.ok(reason instanceof RunCancelledError);
  assert.equal(reason.code, "call_cancelled");
});

test("run.cancel() reaches the tool's signal, too, even one that is asked for late", async () => {
  await using fake = await fakeLlm("tools:1");
  await using rt = await Runtime.open("memory:");
  const entered = deferred<ToolContext>();
  const add = tool({
    name: "add",
    input: Numbers,
    run: (_, context) => {
      entered.resolve(context);
      return new Promise(() => undefined);
    },
  });
  const run = rt.run(agent({ name: "helper", model: fake.model, tools: [add] }), "go");
  const ending = run.outcome();
  const context = await entered.promise;
  run.cancel();
  assert.equal((await ending).status, "cancelled");
  if (!context.signal.aborted) await once(context.signal, "abort");
  assert.equal(context.cancelled, true);
});

test("a tool that takes too long is told so by its signal, and the model that it timed out", async () => {
  await using fake = await fakeLlm("tools:1");
  await using rt = await Runtime.open("memory:");
  let aborted = false;
  const add = tool({
    name: "add",
    input: Numbers,
    timeoutMs: 20,
    run: async (_, { signal }) => {
      await once(signal, "abort");
      aborted = true;
      return 42;
    },
  });
  const run = rt.run(agent({ name: "helper", model: fake.model, tools: [add] }), "go");
  const finished = [];
  for await (const event of run) if (event.type === "tool_finished") finished.push(event);
  assert.equal(finished[0]?.status, "error");
  assert.equal(aborted, true);
});

test("a tool made of something else is refused at once", () => {
  assert.throws(() => tool({ name: "x" } as never), { code: "tool_invalid" });
  assert.throws(() => tool({ name: "x", input: 3, run: () => 1 } as never), { code: "tool_invalid" });
  assert.ok(tool({ name: "x", run: () => 1 }));
});
