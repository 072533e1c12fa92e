/** Runs as their callers hold them: iterated, streamed, awaited, cancelled, left to themselves. */
import assert from "node:assert/strict";
import { getEventListeners, getMaxListeners, setMaxListeners } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { agent, type Event, type HostModel, InputError, RunCancelledError, Runtime, tool } from "nfa-runtime";
import { z } from "zod";

import { deferred } from "./support/deferred.mjs";
import { fakeLlm } from "./support/fake.mjs";
import { answer, scripted } from "./support/scripted.mjs";

const WORDS = "word ".repeat(20);

test("a run is an AsyncIterable of events that `type` tells apart, from its first entry to `finished`", async () => {
  await using fake = await fakeLlm("tools:1");
  await using rt = await Runtime.open("memory:");
  const add = tool({ name: "add", input: z.object({ a: z.number(), b: z.number() }), run: ({ a, b }) => a + b });
  const run = rt.run(agent({ name: "helper", model: fake.model, tools: [add] }), "go");
  const seen: string[] = [];
  let text = "";
  for await (const event of run) {
    if (event.type === "text_delta") text += event.text;
    if (event.type === "tool_started") assert.equal(event.arguments, '{"a":2,"b":40}');
    seen.push(event.type === "entry" ? `entry ${event.entry.type}` : event.type);
  }
  assert.equal(text, "The answer is 42.");
  assert.equal(seen[0], "entry run_started");
  assert.equal(seen.at(-1), "finished");
  for (const type of ["tool_call_delta", "tool_started", "tool_finished", "text_delta"]) {
    assert.ok(seen.includes(type), `${type} in ${seen}`);
  }
  const outcome = await run.outcome();
  assert.equal(outcome.status, "completed");
  assert.equal(outcome.output, "The answer is 42.");
  assert.ok(outcome.usage.inputTokens > 0);
  assert.equal(await run.started(), outcome.run);
});

test("a run is a ReadableStream", async () => {
  await using fake = await fakeLlm("stream:20");
  await using rt = await Runtime.open("memory:");
  const run = rt.run(agent({ name: "helper", model: fake.model }), "go");
  const texts = new TransformStream<Event, string>({
    transform: (event, controller) => {
      if (event.type === "text_delta") controller.enqueue(event.text);
    },
  });
  let text = "";
  for await (const piece of run.stream().pipeThrough(texts as never) as AsyncIterable<string>) text += piece;
  assert.equal(text, WORDS);
});

test("cancelling the stream leaves the run going, or cancels it where that was asked for", async () => {
  await using fake = await fakeLlm("stream:2000");
  await using rt = await Runtime.open("memory:");
  const helper = agent({ name: "helper", model: fake.model });
  const left = rt.run(helper, "go");
  const reader = left.stream().getReader();
  await reader.read();
  await reader.cancel();
  assert.equal((await left.outcome()).status, "completed");

  const stopped = rt.run(helper, "go");
  const stopping = stopped.stream({ cancelRun: true }).getReader();
  for (let read = 0; read < 3; read += 1) await stopping.read();
  await stopping.cancel();
  assert.equal((await stopped.outcome()).status, "cancelled");
});

test("leaving the loop does not cancel the run, and its outcome is still to be had", async () => {
  await using fake = await fakeLlm("stream:2000");
  await using rt = await Runtime.open("memory:", { eventCapacity: 4 });
  const run = rt.run(agent({ name: "helper", model: fake.model }), "go");
  for await (const event of run) if (event.type === "text_delta") break;
  const outcome = await run.outcome();
  assert.equal(outcome.status, "completed");
  assert.equal(outcome.text, "word ".repeat(2000));
});

test("the outcome asked for inside the loop loses no event of those who read on", async () => {
  await using fake = await fakeLlm("stream:300");
  await using rt = await Runtime.open("memory:", { eventCapacity: 4 });
  const run = rt.run(agent({ name: "helper", model: fake.model }), "go");
  let text = "";
  let ended: string | undefined;
  for await (const event of run) {
    if (event.type === "text_delta") {
      text += event.text;
      ended ??= (await run.outcome()).text;
    }
  }
  assert.equal(text, "word ".repeat(300));
  assert.equal(ended, text);
});

test("a reader who is behind loses no text, and one who is not gets it one piece at a time", async () => {
  await using fake = await fakeLlm("stream:400");
  await using rt = await Runtime.open("memory:", { eventCapacity: 16 });
  const texts: string[] = [];
  for await (const event of rt.run(agent({ name: "helper", model: fake.model }), "go")) {
    if (event.type !== "text_delta") continue;
    texts.push(event.text);
    if (texts.length % 50 === 0) await sleep(20);
  }
  assert.deepEqual(texts, Array(400).fill("word "));

  // Each word comes when the one before was read.
  let read = deferred();
  const paced: HostModel = {
    name: "test/paced",
    async *generate() {
      for (let word = 0; word < 20; word += 1) {
        yield { type: "text", text: `${word} ` };
        await read.promise;
        read = deferred();
      }
      yield { type: "finished", answer: answer("paced") };
    },
  };
  let deltas = 0;
  for await (const event of rt.run(agent({ name: "paced", model: paced }), "go")) {
    if (event.type !== "text_delta") continue;
    assert.equal(event.text, `${deltas} `);
    deltas += 1;
    read.resolve();
  }
  assert.equal(deltas, 20);
});

test("two who read share the events, each given once", async () => {
  await using fake = await fakeLlm("stream:200");
  await using rt = await Runtime.open("memory:");
  const run = rt.run(agent({ name: "helper", model: fake.model }), "go");
  let text = "";
  const read = async (): Promise<void> => {
    for await (const event of run) if (event.type === "text_delta") text += event.text;
  };
  await Promise.all([read(), read()]);
  assert.equal(text.length, "word ".repeat(200).length);
});

test("a run that is only awaited is asked for on the cheaper wire", async () => {
  await using rt = await Runtime.open("memory:");
  const model = scripted("one", "two");
  const helper = agent({ name: "helper", model });
  await rt.run(helper, "go").outcome();
  for await (const event of rt.run(helper, "go")) void event;
  assert.deepEqual(
    model.requests.map((request) => request.deltas),
    [false, true],
  );
});

test("whoever iterates too late is told so, and `events: true` keeps events for them", async () => {
  await using fake = await fakeLlm("one");
  await using rt = await Runtime.open("memory:");
  const helper = agent({ name: "helper", model: fake.model });
  const unheard = rt.run(helper, "go");
  await unheard.started();
  assert.throws(() => unheard[Symbol.asyncIterator](), { name: "InputError", code: "run_not_heard" });
  assert.equal((await unheard.outcome()).text, "The answer is 42.");

  const heard = rt.run(helper, "go", { events: true });
  await heard.started();
  const types = [];
  for await (const event of heard) types.push(event.type);
  assert.equal(types.at(-1), "finished");
});

test("a run that nobody asked anything of goes on by itself", async () => {
  await using fake = await fakeLlm("stream:500");
  await using rt = await Runtime.open("memory:", { eventCapacity: 4 });
  rt.run(agent({ name: "helper", model: fake.model }), "go", { session: "alone" });
  for (;;) {
    const [record] = await rt.runs({ session: "alone" });
    if (record?.status === "completed") break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

test("what keeps a run from starting is told to whoever awaits or iterates it", async () => {
  await using rt = await Runtime.open("memory:");
  const nowhere = agent({ name: "helper", model: "nobody/knows" });
  const expected = { name: "ConfigurationError", code: "model_unknown_provider" };
  await assert.rejects(rt.run(nowhere, "go").outcome(), expected);
  await assert.rejects(rt.run(nowhere, "go").started(), expected);
  const iterated = rt.run(nowhere, "go");
  await assert.rejects(async () => {
    for await (const event of iterated) void event;
  }, expected);
  await assert.rejects(iterated.outcome(), expected);
  assert.throws(() => rt.register(nowhere), expected);
});

test("a signal that lives for long keeps no listener of a run that is over", async () => {
  await using fake = await fakeLlm("one");
  await using rt = await Runtime.open("memory:");
  const helper = agent({ name: "helper", model: fake.model });
  const { signal } = new AbortController();
  const listeners = (): number => getEventListeners(signal, "abort").length;
  const iterated = rt.run(helper, "go", { signal });
  let during = 0;
  for await (const event of iterated) if (event.type === "text_delta") during = listeners();
  assert.equal(during, 1);
  await rt.run(helper, "go", { signal }).outcome();
  await iterated.outcome();
  assert.equal(listeners(), 0);
});

test("one signal for many runs is no leak, and what its owner chose stands", async () => {
  await using fake = await fakeLlm("one");
  await using rt = await Runtime.open("memory:");
  const helper = agent({ name: "helper", model: fake.model });
  const { signal } = new AbortController();
  const runs = Array.from({ length: 16 }, () => rt.run(helper, "go", { signal }).outcome());
  await Promise.all(runs);
  const most = getMaxListeners(signal);
  assert.ok(most === 0 || most > 16, `${most}, where 0 is no limit`);
  const chosen = new AbortController().signal;
  setMaxListeners(3, chosen);
  await rt.run(helper, "go", { signal: chosen }).outcome();
  assert.equal(getMaxListeners(chosen), 3);
});

test("a signal that was aborted before starts nothing", async () => {
  await using rt = await Runtime.open("memory:");
  const model = scripted("one");
  const reason = new Error("never mind");
  const run = rt.run(agent({ name: "helper", model }), "go", { signal: AbortSignal.abort(reason) });
  await assert.rejects(run.outcome(), (error) => {
    assert.ok(error instanceof RunCancelledError);
    assert.equal(error.code, "run_not_started");
    assert.equal(error.cause, reason);
    return true;
  });
  assert.equal(model.requests.length, 0);
  assert.deepEqual(await rt.runs(), []);
});

test("a run cancelled in the same tick ends as cancelled", async () => {
  await using rt = await Runtime.open("memory:");
  const hanging = agent({
    name: "helper",
    model: { name: "test/hanging", generate: () => new Promise<never>(() => undefined) },
  });
  const run = rt.run(hanging, "go");
  run.cancel();
  assert.equal((await run.outcome()).status, "cancelled");
});

test("`await using` cancels a run that is not over, and closes the runtime", async () => {
  let outcome;
  let runtime: Runtime;
  {
    await using rt = await Runtime.open("memory:");
    runtime = rt;
    const entered = deferred();
    const hanging = agent({
      name: "helper",
      model: {
        name: "test/hanging",
        generate: () => {
          entered.resolve();
          return new Promise<never>(() => undefined);
        },
      },
    });
    {
      await using run = rt.run(hanging, "go");
      outcome = run.outcome();
      await entered.promise;
    }
    assert.equal((await outcome).status, "cancelled");
  }
  await assert.rejects(runtime.runs(), { code: "store_closed" });
  const late = runtime.run(agent({ name: "helper", model: scripted("late") }), "go");
  await assert.rejects(late.outcome(), { code: "runtime_closed" });
});

test("a run that did not complete has no output, and says why", async () => {
  await using rt = await Runtime.open("memory:");
  const model = scripted("not json", "still not", "never");
  const helper = agent({ name: "helper", model, output: z.object({ n: z.number() }), limits: { outputRetries: 0 } });
  const outcome = await rt.run(helper, "go").outcome();
  assert.equal(outcome.completed, false);
  assert.throws(() => outcome.output, outcome.error ?? { code: "output_missing" });

  const calling = scripted({ calls: [{ name: "wait", arguments: {} }] });
  const wait = tool({ name: "wait", effect: "pure", run: () => "waited" });
  const talkative = agent({ name: "talkative", model: calling, tools: [wait], limits: { turns: 1 } });
  const limited = await rt.run(talkative, "go").outcome();
  assert.equal(limited.status, "limit_reached");
  assert.equal(limited.limit, "turns");
  assert.throws(
    () => limited.output,
    (error) => error instanceof InputError && error.code === "output_missing",
  );
});

test("output is what the schema makes of the answer", async () => {
  await using rt = await Runtime.open("memory:");
  const Answer = z.object({ rain: z.boolean(), at: z.iso.date().transform((day) => new Date(day)) });
  const helper = agent({ name: "helper", model: scripted('{"rain":true,"at":"2026-11-28"}'), output: Answer });
  const { output, receipt } = await rt.run(helper, "Is it raining?").outcome();
  assert.equal(output.rain, true);
  assert.ok(output.at instanceof Date);
  assert.equal(receipt.state, "recorded");
});

test("an input of parts reaches the model", async () => {
  await using rt = await Runtime.open("memory:");
  const model = scripted("seen");
  const parts = [
    { type: "text", text: "What is on it?" },
    { type: "media", media_type: "image/png", url: "https://example.org/a.png" },
  ] as const;
  await rt.run(agent({ name: "helper", model }), parts).outcome();
  assert.deepEqual(model.requests[0]?.messages.at(-1)?.parts, parts);
  await assert.rejects(rt.run(agent({ name: "helper", model }), { odd: 1 } as never).outcome(), {
    code: "input_malformed",
  });
});
