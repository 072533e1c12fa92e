/** What outlives a process: runs that go on elsewhere, approvals, sessions, proofs. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { agent, type Bundle, ConflictError, InputError, Runtime, tool, type ToolContext } from "nfa-runtime";
import { z } from "zod";

import { program, run } from "./support/child.mjs";
import { fakeLlm } from "./support/fake.mjs";
import { scratch } from "./support/paths.mjs";
import { scripted } from "./support/scripted.mjs";

/** A program that has an agent whose tool `pay` writes into a ledger. */
const PAYER = `
  import { appendFileSync } from "node:fs";
  import { agent, Runtime, tool } from "nfa-runtime";
  process.env.NFA_FAKE_KEY = "test";
  const [, , store, baseUrl, ledger, mode] = process.argv;
  const pay = tool({
    name: "pay",
    input: { jsonSchema: { type: "object", properties: { amount: { type: "number" } }, required: ["amount"] } },
    effect: mode === "keyed" ? "keyed" : "at_most_once",
    approval: mode === "approval" ? "always" : "never",
    run: async ({ amount }, { idempotencyKey }) => {
      appendFileSync(ledger, JSON.stringify({ amount, idempotencyKey }) + "\\n");
      if (process.env.HANG) { console.log("paid"); await new Promise(() => setInterval(() => {}, 1000)); }
      return { paid: amount };
    },
    reconcile: mode === "reconciled" ? async ({ amount }) => ({ status: "done", output: { paid: amount } }) : undefined,
  });
  const payer = agent({
    name: "payer",
    model: { name: "openai/fake", baseUrl, apiKeyEnv: "NFA_FAKE_KEY" },
    tools: [pay],
  });
  const rt = await Runtime.open("sqlite:" + store, { leaseMs: 500, pollMs: 20 });
`;

const PAY = [{ calls: [{ tool: "pay", arguments: { amount: 5 } }] }, { text: "Paid." }];

test("a run that asks for approval waits, and is approved and finished in another process", async () => {
  using folder = scratch();
  await using fake = await fakeLlm(PAY);
  const [store, ledger] = [folder.at("agents.db"), folder.at("ledger")];
  const first = await run(
    program(`${PAYER}
      const outcome = await rt.run(payer, "Pay 5.", { session: "alice" }).outcome();
      console.log(JSON.stringify([outcome.status, outcome.run, outcome.asks]));
      await rt.close();
    `),
    [store, fake.baseUrl, ledger, "approval"],
  );
  assert.equal(first.code, 0, first.stderr);
  const [status, id, asks] = JSON.parse(first.stdout);
  assert.equal(status, "waiting");
  assert.deepEqual(asks, [{ step: "2", question: "approval", tool: "pay", arguments: '{"amount":5}' }]);
  assert.equal(existsSync(ledger), false);

  const second = await run(
    program(`${PAYER}
      const [record] = await rt.runs({ statuses: ["waiting"] });
      console.log(await rt.approve(record.run, "2", { by: "bob" }));
      const outcome = await rt.resume(record.run, { agent: payer }).outcome();
      console.log(outcome.run, outcome.status, outcome.output);
      await rt.close();
    `),
    [store, fake.baseUrl, ledger, "approval"],
  );
  assert.equal(second.stdout, `waiting\n${id} completed Paid.\n`, second.stderr);
  assert.equal(readFileSync(ledger, "utf8").trim().split("\n").length, 1);
});

test("a denied call is not performed, and the model is told why; an answered one has that result", async () => {
  const asked = (model: ReturnType<typeof scripted>, called: () => void) =>
    agent({
      name: "payer",
      model,
      tools: [
        tool({
          name: "pay",
          input: z.object({ amount: z.number() }),
          approval: "always",
          run: () => called(),
        }),
      ],
    });
  await using rt = await Runtime.open("memory:");
  for (const [decide, told] of [
    [(id: string) => rt.deny(id, "2", { reason: "not on a Friday" }), /not on a Friday/],
    [(id: string) => rt.answer(id, "2", "paid by hand"), /paid by hand/],
  ] as const) {
    let calls = 0;
    const model = scripted({ calls: [{ name: "pay", arguments: { amount: 5 } }] }, "Noted.");
    const payer = asked(model, () => (calls += 1));
    const outcome = await rt.run(payer, "Pay 5.").outcome();
    assert.equal(outcome.status, "waiting");
    await decide(outcome.run);
    assert.equal((await rt.resume(outcome.run, { agent: payer }).outcome()).text, "Noted.");
    assert.equal(calls, 0);
    const result = model.requests[1]?.messages.at(-1)?.parts[0];
    assert.match(result?.type === "tool_result" ? result.text : "", told);
  }
});

for (const mode of ["keyed", "reconciled", "asked"] as const) {
  test(`a process is killed inside a tool (${mode}), and its run goes on in another without a second effect`, async () => {
    using folder = scratch();
    await using fake = await fakeLlm(PAY);
    const args = [folder.at("agents.db"), fake.baseUrl, folder.at("ledger"), mode];
    const path = program(`${PAYER}
      console.log(await rt.run(payer, "Pay 5.", { events: true }).started());
      setInterval(() => {}, 1000);
    `);
    const child = spawn(process.execPath, [path, ...args], {
      env: { ...process.env, HANG: "1" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let printed = "";
    for await (const data of child.stdout) {
      printed += data;
      if (printed.includes("paid")) break;
    }
    child.kill("SIGKILL");
    await once(child, "exit");

    const second = await run(
      program(`${PAYER}
        import { setTimeout as sleep } from "node:timers/promises";
        rt.register(payer);
        let resumed;
        // Its lease is given up when the store's clock says so.
        while ((resumed = await rt.resumeAll()).length === 0) await sleep(20);
        const [{ run, error }] = resumed;
        if (error) throw error;
        let outcome = await run.outcome();
        if (outcome.status === "waiting") {
          console.log(JSON.stringify(outcome.asks.map(({ question }) => question)));
          await rt.answer(outcome.run, outcome.asks[0].step, "it was paid");
          outcome = await rt.resume(outcome.run).outcome();
        }
        console.log(outcome.status, outcome.text);
        await rt.close();
      `),
      args,
    );
    const asks = mode === "asked" ? '["interrupted"]\n' : "";
    assert.equal(second.stdout, `${asks}completed Paid.\n`, second.stderr);
    const effects = readFileSync(folder.at("ledger"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    // A keyed tool is called again with the same key, by which the other side knows the repetition.
    assert.equal(effects.length, mode === "keyed" ? 2 : 1);
    assert.equal(new Set(effects.map(({ idempotencyKey }) => idempotencyKey)).size, 1);
  });
}

test("a session remembers, admits one run at a time, and is erased", async () => {
  using folder = scratch();
  await using rt = await Runtime.open(`sqlite:${folder.at("agents.db")}`);
  const model = scripted("Hello Ada.", "You are Ada.", "Who are you?");
  const helper = agent({ name: "helper", model });
  await rt.run(helper, "I am Ada.", { session: "ada" }).outcome();
  await rt.run(helper, "Who am I?", { session: "ada" }).outcome();
  const said = model.requests[1]?.messages.map(({ parts: [part] }) => (part?.type === "text" ? part.text : ""));
  assert.deepEqual(said, ["I am Ada.", "Hello Ada.", "Who am I?"]);

  const hanging = agent({
    name: "hanging",
    model: { name: "test/hanging", generate: () => new Promise<never>(() => undefined) },
  });
  const open = rt.run(hanging, "wait", { session: "ada" });
  await open.started();
  await assert.rejects(rt.run(helper, "hi", { session: "ada" }).outcome(), (error) => {
    assert.ok(error instanceof ConflictError);
    assert.equal(error.code, "session_busy");
    assert.deepEqual(Object.keys(error.details as object), ["run"]);
    return true;
  });
  open.cancel();
  await open.outcome();

  const [record] = await rt.runs({ session: "ada", statuses: ["completed"] });
  assert.ok(record !== undefined);
  const [first] = await rt.journal(record.run);
  assert.ok(first?.type === "run_started");
  const { input } = first;
  assert.ok(await rt.content(record.run, input));
  await rt.erase({ kind: "session", session: "ada" });
  await assert.rejects(rt.content(record.run, input), { code: "content_erased" });
});

test("a run's proof verifies, and a changed one does not", async () => {
  using folder = scratch();
  await using rt = await Runtime.open(`sqlite:${folder.at("agents.db")}`, { origin: "example.org" });
  const helper = agent({ name: "helper", model: scripted("Hello.") });
  const { run: id, receipt } = await rt.run(helper, "Hi.").outcome();
  assert.equal(receipt.state, "recorded");
  assert.equal((await rt.checkpointed(id)).state, "checkpointed");
  const bundle = await rt.proof(id);
  const { verifier_key: key, origin } = await rt.logInfo("helper");
  assert.match(origin, /^example\.org\//);
  const report = Runtime.verify(bundle, { logKeys: [key] });
  assert.ok(JSON.stringify(report).includes("Hello."));
  const changed = JSON.parse(JSON.stringify(bundle).replace("SGVsbG8u", "SGVsbG8h")) as Bundle;
  assert.notDeepEqual(changed, bundle);
  assert.throws(
    () => Runtime.verify(changed, { logKeys: [key] }),
    (error) => error instanceof InputError && (error.details as { verdict: string }).verdict === "invalid",
  );
  const turn = await rt.contextProof(id, receipt.leaves.at(-1)?.entry ?? 0);
  assert.ok(Runtime.verify(turn, { logKeys: [key] }));
});

test("an agent is paused, resumed and terminated", async () => {
  await using rt = await Runtime.open("memory:");
  const model = scripted("one", "two");
  const helper = agent({ name: "helper", model });
  await rt.run(helper, "go").outcome();
  await rt.pauseAgent("helper");
  assert.equal(await rt.agentState("helper"), "paused");
  await assert.rejects(rt.run(helper, "go").outcome(), { code: "agent_paused" });
  await rt.resumeAgent("helper");
  assert.equal(await rt.run(helper, "go").output(), "two");
  await rt.terminateAgent("helper");
  await assert.rejects(rt.run(helper, "go").outcome(), { code: "agent_terminated" });
});

test("a run that stopped at a limit goes on with a higher one", async () => {
  await using rt = await Runtime.open("memory:");
  const again = tool({ name: "again", effect: "pure", run: () => "again" });
  const calls = { calls: [{ name: "again", arguments: {} }] };
  const helper = agent({ name: "helper", model: scripted(calls, "done"), tools: [again], limits: { turns: 1 } });
  const first = await rt.run(helper, "go").outcome();
  assert.equal(first.limit, "turns");
  const second = await rt.resume(first.run, { agent: helper, limits: { turns: 2 } }).outcome();
  assert.equal(second.output, "done");
});

test("a resumed run is iterated, too, and its tools are given dependencies again", async () => {
  await using rt = await Runtime.open("memory:");
  const seen: unknown[] = [];
  const pay = tool({
    name: "pay",
    approval: "always",
    run: (_, { deps }: ToolContext<{ readonly who: string }>) => void seen.push(deps.who),
  });
  const payer = agent({
    name: "payer",
    model: scripted({ calls: [{ name: "pay", arguments: {} }] }, "Paid."),
    tools: [pay],
  });
  const { run: id } = await rt.run(payer, "Pay.", { deps: { who: "first" } }).outcome();
  await rt.approve(id, "2");
  const types: string[] = [];
  for await (const event of rt.resume(id, { agent: payer, deps: { who: "second" } })) types.push(event.type);
  assert.deepEqual(seen, ["second"]);
  assert.equal(types.at(-1), "finished");
});
