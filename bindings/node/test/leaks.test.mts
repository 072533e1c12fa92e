/**
 * Nothing is left behind: no task of the engine, no object in either table, no memory.
 *
 * `NFA_LEAK_RUNS=100000` makes as many runs as that, and looks at the resident memory, too.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { agent, Runtime, tool } from "nfa-runtime";

import { deferred } from "./support/deferred.mjs";
import { fakeLlm } from "./support/fake.mjs";
import { packageRoot } from "./support/paths.mjs";

interface Inside {
  readonly held: number;
  readonly native: { tasks(): number; held(): number };
}

const inside = (): Inside => {
  const bridge = createRequire(import.meta.url)(join(packageRoot, "dist/bridge.js")) as { theBridge(): Inside };
  return bridge.theBridge();
};

const input = { jsonSchema: { type: "object", properties: { a: { type: "number" }, b: { type: "number" } } } };

/** What is held now: tasks of the engine, handles of Rust, objects of JavaScript. */
const counts = (): readonly [tasks: number, handles: number, objects: number] => {
  const { native, held } = inside();
  return [native.tasks(), native.held(), held];
};

/** Waits until no more is held than before. */
async function settled(before: readonly number[]): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    // The table hears of what was let go of with the next letter.
    await sleep(5);
    const now = counts();
    if (now.every((count, at) => count <= (before[at] ?? 0))) return;
    assert.ok(tries < 1000, `${before} became ${now}`);
  }
}

test("runs with tools of JavaScript leave nothing behind, however many", async () => {
  const runs = Number(process.env["NFA_LEAK_RUNS"] ?? 500);
  await using fake = await fakeLlm("tools:1");
  await using rt = await Runtime.open("memory:", { proof: false });
  const add = tool({ name: "add", input, effect: "pure", run: ({ a, b }: any) => a + b });
  const helper = agent({ name: "helper", model: fake.model, tools: [add] });
  const many = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += 50) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, at) => {
          const run = rt.run(helper, "go");
          if (at % 2 === 0) for await (const event of run) void event;
          const { run: id, status } = await run.outcome();
          assert.equal(status, "completed");
          await rt.erase({ kind: "run", run: id });
        }),
      );
    }
  };
  await many(100);
  await settled([Infinity, Infinity, Infinity]);
  const before = counts();
  const memory = process.memoryUsage.rss();
  await many(runs);
  // One more letter, so that the table hears of the last ones.
  await rt.runs();
  await settled(before);
  if (runs >= 10_000) {
    const grown = (process.memoryUsage.rss() - memory) / runs;
    console.log(`# resident memory grew by ${grown.toFixed(0)} bytes a run`);
  }
});

test("no run is left alive in the engine after it was cancelled", async () => {
  await using fake = await fakeLlm([{ text: "word ".repeat(50), stall: 5, again: true }] as never);
  await using rt = await Runtime.open("memory:");
  const helper = agent({ name: "helper", model: fake.model });
  rt.register(helper);
  await settled([Infinity, Infinity, Infinity]);
  const before = counts();
  const stalled = Array.from({ length: 50 }, () => rt.run(helper, "go"));
  const read = stalled.map(async (run) => {
    for await (const event of run) if (event.type === "text_delta") break;
  });
  await Promise.all(read);
  // A control: they are alive, and counted.
  assert.ok(counts()[0] >= before[0] + 50, `${before} ${counts()}`);
  for (const run of stalled) run.cancel();
  const ends = await Promise.all(stalled.map((run) => run.outcome()));
  assert.ok(ends.every(({ status }) => status === "cancelled"));
  await rt.runs();
  await settled(before);
});

test("a run that hangs in a tool is gone from the engine when it is cancelled, though the tool never ends", async () => {
  await using fake = await fakeLlm("tools:1");
  await using rt = await Runtime.open("memory:");
  const entered = deferred();
  let hangs = false;
  const add = tool({
    name: "add",
    input,
    run: () => {
      if (!hangs) return 42;
      entered.resolve();
      return new Promise(() => undefined);
    },
  });
  const helper = agent({ name: "helper", model: fake.model, tools: [add] });
  // A control: one that ends. It also opens the connection that later runs use.
  assert.equal(await rt.run(helper, "go").output(), "The answer is 42.");
  hangs = true;
  await settled([Infinity, Infinity, Infinity]);
  const before = counts();
  const run = rt.run(helper, "go");
  const outcome = run.outcome();
  await entered.promise;
  run.cancel();
  assert.equal((await outcome).status, "cancelled");
  await rt.runs();
  // The agent's tool stays registered; the run and its dependencies do not.
  await settled(before);
});
