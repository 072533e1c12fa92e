/** Processes and workers: what keeps them alive, and what their end does to runs under way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { once } from "node:events";
import { Worker } from "node:worker_threads";

import { program, run } from "./support/child.mjs";
import { fakeLlm } from "./support/fake.mjs";

/** A model that never answers, and an agent of it. */
const HANGING = `
  import { agent, Runtime, tool } from "nfa-runtime";
  const hanging = agent({ name: "helper", model: { name: "test/hanging", generate: () => new Promise(() => {}) } });
`;

/** An agent of the fake server at the first argument. */
const HELPER = `
  import { agent, Runtime, tool } from "nfa-runtime";
  process.env.NFA_FAKE_KEY = "test";
  const model = { name: "openai/fake", baseUrl: process.argv[2], apiKeyEnv: "NFA_FAKE_KEY" };
  const input = { jsonSchema: { type: "object", properties: { a: { type: "number" }, b: { type: "number" } } } };
  const add = tool({ name: "add", input, run: ({ a, b }) => a + b });
  const helper = agent({ name: "helper", model, tools: [add] });
`;

test("an abandoned run does not keep the process alive", async () => {
  const ended = await run(
    program(`${HANGING}
      const rt = await Runtime.open("memory:");
      const run = rt.run(hanging, "go");
      console.log(await run.started());
    `),
  );
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stdout, /^[0-9a-f]{32}\n$/);
});

test("neither an open runtime nor a run whose loop was left keeps the process alive", async () => {
  await using fake = await fakeLlm([{ text: "word ".repeat(50), stall: 10 }]);
  const ended = await run(
    program(`${HELPER}
      const rt = await Runtime.open("memory:");
      for await (const event of rt.run(helper, "go")) if (event.type === "text_delta") break;
      console.log("left");
    `),
    [fake.baseUrl],
  );
  assert.deepEqual([ended.code, ended.stdout], [0, "left\n"], ended.stderr);
});

test("a run that is awaited keeps the process alive until it has ended", async () => {
  await using fake = await fakeLlm("tools:3");
  const ended = await run(
    program(`${HELPER}
      const rt = await Runtime.open("memory:");
      rt.run(helper, "go").outcome().then(({ text }) => console.log(text));
    `),
    [fake.baseUrl],
  );
  assert.deepEqual([ended.code, ended.stdout], [0, "The answer is 42.\n"], ended.stderr);
});

test("process.exit with runs under way ends at once and cleanly", async () => {
  await using fake = await fakeLlm("stream:100000");
  const ended = await run(
    program(`${HELPER}
      const rt = await Runtime.open("memory:");
      const runs = Array.from({ length: 20 }, () => rt.run(helper, "go"));
      for (const run of runs) (async () => { for await (const event of run); })();
      await runs[0].started();
      setTimeout(() => process.exit(7), 20);
    `),
    [fake.baseUrl],
  );
  assert.deepEqual([ended.code, ended.signal], [7, null], ended.stderr);
});

test("an exception that nobody catches ends the process as Node does, with runs under way", async () => {
  const ended = await run(
    program(`${HANGING}
      const rt = await Runtime.open("memory:");
      const run = rt.run(hanging, "go");
      run.outcome();
      await run.started();
      setImmediate(() => { throw new Error("the user's own"); });
    `),
  );
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /the user's own/);
});

test("what a tool throws later, on its own time, is the user's; what it throws in its call is the tool's", async () => {
  await using fake = await fakeLlm("tools:1");
  const ended = await run(
    program(`${HELPER}
      process.on("uncaughtException", (error) => console.log("uncaught", error.message));
      const late = tool({ name: "add", input, run: async () => {
        setImmediate(() => { throw new Error("later"); });
        await new Promise((resolve) => setTimeout(resolve, 20));
        throw new Error("now");
      } });
      const rt = await Runtime.open("memory:");
      const run = rt.run(agent({ name: "helper", model, tools: [late] }), "go");
      for await (const event of run) if (event.type === "tool_finished") console.log(event.text);
    `),
    [fake.baseUrl],
  );
  assert.deepEqual([ended.code, ended.stdout], [0, "uncaught later\nError: now\n"], ended.stderr);
});

const WORKER = `${HELPER.replace("process.argv[2]", "workerData")}
  import { parentPort, workerData } from "node:worker_threads";
`;

test("it works in worker_threads, several at once", async () => {
  await using fake = await fakeLlm("tools:2");
  const path = program(`${WORKER}
    const rt = await Runtime.open("memory:");
    const { text } = await rt.run(helper, "go").outcome();
    parentPort.postMessage(text);
  `);
  const ends = Array.from({ length: 4 }, async () => {
    const worker = new Worker(path, { workerData: fake.baseUrl });
    const [[text], [code]] = await Promise.all([once(worker, "message"), once(worker, "exit")]);
    return `${text} ${code}`;
  });
  assert.deepEqual(await Promise.all(ends), Array(4).fill("The answer is 42. 0"));
});

test("a worker that is terminated with runs and tools under way ends, and the others go on", async () => {
  await using fake = await fakeLlm("tools:1");
  const path = program(`${WORKER}
    const never = tool({ name: "add", input, run: () => { parentPort.postMessage("in the tool"); return new Promise(() => {}); } });
    const rt = await Runtime.open("memory:");
    await rt.run(agent({ name: "helper", model, tools: [never] }), "go").outcome();
  `);
  for (let round = 0; round < 10; round += 1) {
    const worker = new Worker(path, { workerData: fake.baseUrl });
    await once(worker, "message");
    assert.equal(await worker.terminate(), 1);
  }
  const { agent, Runtime, tool } = await import("nfa-runtime");
  await using rt = await Runtime.open("memory:");
  const add = tool({ name: "add", run: () => 42 });
  const outcome = await rt.run(agent({ name: "helper", model: fake.model, tools: [add] }), "go").outcome();
  assert.equal(outcome.status, "completed", String(outcome.error));
});

test("a worker that is terminated while events pour in ends cleanly, many times over", async () => {
  await using fake = await fakeLlm("stream:20000");
  const path = program(`${WORKER}
    const rt = await Runtime.open("memory:");
    let first = true;
    for await (const event of rt.run(helper, "go")) {
      if (first && event.type === "text_delta") { first = false; parentPort.postMessage("pouring"); }
    }
  `);
  const ended = await run(
    program(`
      import { once } from "node:events";
      import { Worker } from "node:worker_threads";
      for (let round = 0; round < 10; round += 1) {
        const worker = new Worker(process.argv[2], { workerData: process.argv[3] });
        await once(worker, "message");
        await worker.terminate();
      }
      console.log("done");
    `),
    [path, fake.baseUrl],
  );
  assert.deepEqual([ended.code, ended.signal, ended.stdout], [0, null, "done\n"], ended.stderr);
});
