/** Agents as data: every member of an agent, other agents as tools, handoffs, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { agent, Agent, InputError, NfaError, Runtime, tool } from "nfa-runtime";
import { z } from "zod";

import { fakeLlm } from "./support/fake.mjs";
import { scripted } from "./support/scripted.mjs";

test("every member of an agent becomes the engine's", async () => {
  const whole = agent({
    name: "helper",
    description: "Helps.",
    instructions: "Be brief.",
    model: {
      name: "openai/gpt-5-mini",
      baseUrl: "http://127.0.0.1:1/v1",
      apiKeyEnv: "KEY",
      toolCalling: "native",
      wire: "chat_completions",
      headers: { "x-team": "a" },
      settings: {
        temperature: 0.5,
        topP: 0.9,
        maxOutputTokens: 100,
        seed: 7,
        stop: ["END"],
        parallelToolCalls: false,
        reasoningEffort: "low",
        promptCache: "short",
        extra: { user: "u" },
      },
      fallback: ["anthropic/claude", { name: "ollama/qwen", baseUrl: "http://127.0.0.1:2" }],
    },
    tools: [
      {
        name: "date",
        argv: ["date"],
        description: "The date.",
        env: ["TZ"],
        input: z.object({}),
        effect: "pure",
        approval: "never",
        timeoutMs: 1000,
        maxOutputBytes: 100,
      },
    ],
    limits: {
      turns: 3,
      tokens: 1000,
      costMicroUsd: 5,
      wallTimeMs: 1000,
      parallelCalls: 2,
      depth: 1,
      outputRetries: 0,
    },
    output: z.object({ rain: z.boolean() }),
    historyRuns: 2,
  });
  assert.deepEqual(whole.spec, {
    name: "helper",
    description: "Helps.",
    instructions: "Be brief.",
    model: {
      name: "openai/gpt-5-mini",
      base_url: "http://127.0.0.1:1/v1",
      api_key_env: "KEY",
      tool_calling: "native",
      wire: "chat_completions",
      headers: { "x-team": "a" },
      settings: {
        temperature: 0.5,
        top_p: 0.9,
        max_output_tokens: 100,
        seed: 7,
        stop: ["END"],
        parallel_tool_calls: false,
        reasoning_effort: "low",
        prompt_cache: "short",
        extra: { user: "u" },
      },
      fallback: ["anthropic/claude", { name: "ollama/qwen", base_url: "http://127.0.0.1:2" }],
    },
    tools: [
      {
        name: "date",
        argv: ["date"],
        description: "The date.",
        env: ["TZ"],
        parameters: { type: "object", properties: {} },
        effect: "pure",
        approval: "never",
        timeout_ms: 1000,
        max_output_bytes: 100,
      },
    ],
    limits: {
      turns: 3,
      tokens: 1000,
      cost_micro_usd: 5,
      wall_time_ms: 1000,
      parallel_calls: 2,
      depth: 1,
      output_retries: 0,
    },
    output: {
      type: "object",
      properties: { rain: { type: "boolean" } },
      required: ["rain"],
    },
    memory: { history: { runs: 2 } },
  });
  // The engine refuses members that it does not know: what it takes is known to it.
  await using rt = await Runtime.open("memory:");
  process.env["KEY"] = "k";
  process.env["ANTHROPIC_API_KEY"] ??= "k";
  rt.register(whole);
  const odd = agent({ name: "odd", model: { name: "openai/x", colour: "red" } as never });
  assert.throws(() => rt.register(odd), /colour/);
});

test("other agents are tools, inside the run or in one of their own", async () => {
  await using rt = await Runtime.open("memory:");
  const double = tool({ name: "double", input: z.object({ n: z.number() }), effect: "pure", run: ({ n }) => 2 * n });
  const counted = scripted({ calls: [{ name: "double", arguments: { n: 21 } }] }, "42");
  const counter = agent({
    name: "counter",
    description: "Counts.",
    model: { ...counted, name: "test/a" },
    tools: [double],
  });
  for (const ownRun of [false, true]) {
    counted.requests.length = 0;
    const boss = agent({
      name: "boss",
      model: { ...scripted({ calls: [{ name: "counter", arguments: { input: "21" } }] }, "It is 42."), name: "test/b" },
      tools: [ownRun ? counter.asTool({ ownRun }) : counter],
    });
    const outcome = await rt.run(boss, "Double 21.", { session: `own ${ownRun}` }).outcome();
    assert.equal(outcome.text, "It is 42.", String(outcome.error));
    const children = (await rt.runs()).filter(({ parent }) => parent !== null && parent[0] === outcome.run);
    assert.equal(children.length, ownRun ? 1 : 0);
  }
});

test("a conversation is handed over", async () => {
  await using fake = await fakeLlm([{ calls: [{ tool: "transfer_to_billing" }] }, { text: "Billing here." }]);
  await using rt = await Runtime.open("memory:");
  const billing = agent({ name: "billing", description: "Bills.", model: fake.model });
  const front = agent({ name: "front", model: fake.model, handoffs: [billing] });
  const outcome = await rt.run(front, "My bill?").outcome();
  const handed = (await rt.journal(outcome.run)).find(({ type }) => type === "handed_over");
  assert.ok(handed?.type === "handed_over");
  assert.equal(handed.to, "billing");
  assert.equal(outcome.text, "Billing here.");
});

test("agents that name each other in a circle are one program", async () => {
  await using rt = await Runtime.open("memory:");
  const inner = agent({ name: "inner", model: { ...scripted("x"), name: "test/inner" }, handoffs: ["outer"] });
  const outer = agent({ name: "outer", model: { ...scripted("y"), name: "test/outer" }, handoffs: [inner] });
  assert.equal((outer.spec["agents"] as unknown[]).length, 1);
  assert.equal(await rt.run(outer, "go").output(), "y");
});

test("an agent from data runs with the code that it names", async () => {
  await using rt = await Runtime.open("memory:");
  const double = tool({ name: "double", input: z.object({ n: z.number() }), effect: "pure", run: ({ n }) => 2 * n });
  const model = scripted({ calls: [{ name: "double", arguments: { n: 21 } }] }, '{"n":42}');
  const spec = {
    name: "helper",
    model: "test/scripted",
    tools: ["double"],
    output: { type: "object", properties: { n: { type: "number" } } },
  };
  const helper = Agent.fromSpec(spec, { tools: [double], models: [model] });
  assert.deepEqual(await rt.run(helper, "go").output(), { n: 42 });
  assert.throws(() => rt.register(Agent.fromSpec(spec, { models: [model] })), NfaError);
});

test("two different things of one name are refused, the same one twice is not", () => {
  const make = () => tool({ name: "same", run: () => 1 });
  const one = make();
  const model = "openai/gpt-5-mini";
  assert.throws(() => agent({ name: "a", model, tools: [one, make()] }), {
    code: "duplicate_name",
    name: "InputError",
  });
  const inner = agent({ name: "inner", model, tools: [one] });
  assert.ok(agent({ name: "outer", model, tools: [one, inner] }));
  const clash = agent({ name: "clash", model, tools: [make()] });
  assert.throws(() => agent({ name: "outer", model, tools: [inner, clash] }), { code: "duplicate_name" });
});

test("what is no agent, no tool and no schema is refused with words", async () => {
  assert.throws(() => agent({ name: "a" } as never), { code: "agent_invalid" });
  assert.throws(() => agent({ name: "a", model: "m", tools: [{}] } as never), /expected each of `tools` of agent `a`/);
  assert.throws(() => agent({ name: "a", model: "m", output: 3 } as never), { code: "agent_invalid" });
  await using rt = await Runtime.open("memory:");
  assert.throws(() => rt.run({} as never, "go"), { name: "InputError", code: "agent_invalid" });
  assert.throws(() => rt.register(agent({ name: "no spaces", model: "openai/x" })), InputError);
});

test("options that the engine does not know are refused by their name", async () => {
  await assert.rejects(Runtime.open("memory:", { colour: "red" } as never), /colour/);
  await assert.rejects(Runtime.open("file:x"), { code: "store_url_invalid", name: "InputError" });
  await using rt = await Runtime.open("memory:", {
    proof: false,
    origin: "example.org",
    leaseMs: 1000,
    pollMs: 50,
    concurrency: 4,
    eventCapacity: 8,
    closeGraceMs: 100,
    heartbeatMs: 60_000,
    witnessTimeoutMs: 100,
  });
  assert.equal((await rt.run(agent({ name: "a", model: scripted("x") }), "go").outcome()).receipt.state, "none");
});
