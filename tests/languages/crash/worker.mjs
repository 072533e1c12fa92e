// The process that is killed: it goes on with every run that it finds, answers what they ask, and starts new ones.
//
// STORE LEDGER RUNS UNTIL: `killed`, or `done`, which ends once RUNS runs are over.
import { openSync, readFileSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { agent, Runtime, tool } from "../package.mjs";

const [store, ledgerFile, runs, until] = process.argv.slice(2);
const WIDTH = 6;
const LOOK = 20;
const PASSING = new Set(["lease_held", "lease_lapsed", "stale_writer", "runtime_closed", "store_closed"]);

const ledger = openSync(ledgerFile, "a");

/** One line, in one write: what was written survives any kill. */
function effect(name, { run, step, attempt, idempotencyKey: key }, tag) {
  writeSync(ledger, `${JSON.stringify({ tool: name, run, step, attempt, key, tag })}\n`);
  return `${name} ${tag} is done`;
}

const input = {
  jsonSchema: { type: "object", properties: { tag: { type: "integer" } }, required: ["tag"] },
};

/** A tool whose effect is a line in the ledger. */
function writes(name, effectClass, more = {}) {
  return tool({
    name,
    input,
    effect: effectClass,
    run: async ({ tag }, context) => {
      await sleep(Math.random() * 5);
      const done = effect(name, context, tag);
      await sleep(Math.random() * 20);
      return done;
    },
    ...more,
  });
}

/** Whether it is in the ledger already. */
function posted({ tag }, context) {
  const lines = readFileSync(ledgerFile, "utf8").split("\n").filter(Boolean);
  const found = lines.map((line) => JSON.parse(line));
  const done = found.some(({ run, step }) => run === context.run && step === context.step);
  return done ? { status: "done", output: `post ${tag} is done` } : { status: "not_done" };
}

const main = agent({
  name: "main",
  model: "openai/scripted",
  instructions: "Do it all.",
  tools: [
    writes("look", "pure", { run: ({ tag }, context) => effect("look", context, tag) }),
    writes("note", "idempotent"),
    writes("charge", "keyed"),
    writes("send", "at_most_once"),
    writes("post", "at_most_once", { reconcile: posted }),
  ],
});

const runtime = await Runtime.open(store, { leaseMs: 300, pollMs: 25 });
runtime.register(main);
console.log("open");

const following = new Map();

function pass(error) {
  if (!PASSING.has(error.code)) throw error;
}

async function toItsEnd(id, run) {
  const outcome = await run.outcome().catch(pass);
  for (const { step, question } of outcome?.asks ?? []) {
    if (question !== "interrupted") throw new Error(`step ${step} asks ${question}`);
    const by = "worker";
    const decide = [
      () => runtime.approve(id, step, { by }),
      () => runtime.deny(id, step, { reason: "leave it", by }),
      () => runtime.answer(id, step, "it is done: I looked", { by }),
    ];
    await decide[Math.floor(Math.random() * decide.length)]();
  }
}

function follow(id, run) {
  following.set(id, toItsEnd(id, run).finally(() => following.delete(id)));
}

for (;;) {
  const records = await runtime.runs({ limit: 10_000 });
  const open = records.filter(({ status }) => status === "running" || status === "waiting");
  if (until === "done" && records.length >= Number(runs) && open.length + following.size === 0) break;
  if (records.length < Number(runs) && following.size < WIDTH) {
    const run = runtime.run(main, "Do it all.", { events: true });
    follow(await run.started(), run);
  }
  for (const { id, run, error } of await runtime.resumeAll()) {
    if (error === undefined) follow(id, run);
    else pass(error);
  }
  for (const { run: id, status } of open) {
    if (status === "waiting" && !following.has(id)) follow(id, runtime.resume(id));
  }
  await sleep(LOOK);
}
await runtime.close();
