/** Stores, keys, witnesses, anchors and caches in JavaScript, and the engine's own by themselves. */
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import {
  agent,
  type Anchor,
  type AnchorSubmission,
  type Cache,
  ConflictError,
  Embedder,
  EngineStore,
  type Keys,
  Runtime,
  type Store,
  tool,
  TransientError,
  type Witness,
} from "nfa-runtime";

import { fakeLlm } from "./support/fake.mjs";
import { scratch } from "./support/paths.mjs";
import { scripted } from "./support/scripted.mjs";

/** A store of JavaScript around the engine's, with what it was asked. */
function around(inner: EngineStore, change?: (method: string, args: any) => unknown): Store & { asked: string[] } {
  const asked: string[] = [];
  return {
    ...inner.promises,
    asked,
    call: (method, args) => {
      asked.push(method);
      return change?.(method, args) ?? inner.call(method, args);
    },
  };
}

test("a store in JavaScript holds runs, sessions, approvals and proofs", async () => {
  const store = around(new EngineStore("memory:"));
  await using rt = await Runtime.open("memory:", { store });
  const model = scripted({ calls: [{ name: "pay", arguments: {} }] }, "Paid.", "Again.");
  const pay = tool({ name: "pay", approval: "always", run: () => "paid" });
  const payer = agent({ name: "payer", model, tools: [pay] });
  const { run: id, status } = await rt.run(payer, "Pay.", { session: "alice" }).outcome();
  assert.equal(status, "waiting");
  await rt.approve(id, "2");
  assert.equal(await rt.resume(id, { agent: payer }).output(), "Paid.");
  assert.equal(await rt.run(payer, "And now?", { session: "alice" }).output(), "Again.");
  assert.equal((await rt.checkpointed(id)).state, "checkpointed");
  const { verifier_key: key } = await rt.logInfo("payer");
  assert.ok(Runtime.verify(await rt.proof(id), { logKeys: [key] }));
  for (const method of ["commit", "claim", "session_items", "sequence", "record_checkpoint"]) {
    assert.ok(store.asked.includes(method), method);
  }
});

test("a store in JavaScript around a file is gone on with by the engine's own", async () => {
  using folder = scratch();
  const url = `sqlite:${folder.at("agents.db")}`;
  const keys = keysInMemory();
  {
    await using rt = await Runtime.open("memory:", { store: around(new EngineStore(url)), keys });
    const helper = agent({ name: "helper", model: scripted("Hello.") });
    assert.equal(await rt.run(helper, "Hi.").output(), "Hello.");
  }
  await using rt = await Runtime.open(url);
  const [record] = await rt.runs();
  assert.equal(record?.status, "completed");
  // The content was sealed under keys that only the program had.
  const [first] = await rt.journal(record.run);
  assert.ok(first?.type === "run_started");
  await assert.rejects(rt.content(record.run, first.input));
});

test("what a store in JavaScript throws, rejects with or gives is an error of that call", async () => {
  const helper = () => agent({ name: "helper", model: scripted("Hello.") });
  for (const [change, code] of [
    [() => Promise.reject(new TransientError("no connection", { code: "store_unavailable" })), "store_unavailable"],
    [
      () => {
        throw new Error("a bug");
      },
      "host_failed",
    ],
    [() => "nonsense", "host_value_malformed"],
    [() => 1n, "host_failed"],
  ] as const) {
    let failing = true;
    const store = around(new EngineStore("memory:"), (method) =>
      failing && method === "commit" ? change() : undefined,
    );
    await using rt = await Runtime.open("memory:", { store, proof: false });
    await assert.rejects(rt.run(helper(), "Hi.").outcome(), { code });
    failing = false;
    assert.equal(await rt.run(helper(), "Hi.").output(), "Hello.");
  }
});

/** Keys as the port wants them. */
function keysInMemory(): Keys & { readonly subjects: Map<string, string> } {
  const subjects = new Map<string, string>();
  const logs = new Map<string, string>();
  const signed = new Map<string, { size: number; root: string }>();
  const made = (map: Map<string, string>, name: string): string => {
    const key = map.get(name) ?? randomBytes(32).toString("hex");
    map.set(name, key);
    return key;
  };
  return {
    subjects,
    subjectKey: ({ subject }) => made(subjects, subject),
    existingSubjectKey: async ({ subject }) => subjects.get(subject) ?? null,
    destroySubjectKey: ({ subject }) => void subjects.delete(subject),
    logSeed: ({ log }) => made(logs, `${log} 0`),
    laterLogSeed: ({ log, generation }) => logs.get(`${log} ${generation}`) ?? null,
    makeLogSeed: ({ log, generation }) => made(logs, `${log} ${generation}`),
    lastSigned: ({ log }) => signed.get(log) ?? null,
    recordSigned: ({ log, size, root }) => {
      const last = signed.get(log);
      if (last !== undefined && (size < last.size || (size === last.size && root !== last.root))) {
        throw new ConflictError("the log was put back", { code: "log_rolled_back", component: "proof" });
      }
      signed.set(log, { size, root });
    },
  };
}

test("keys in JavaScript seal what is said, and destroying one erases it", async () => {
  const keys = keysInMemory();
  await using rt = await Runtime.open("memory:", { store: around(new EngineStore("memory:")), keys });
  const helper = agent({ name: "helper", model: scripted("Hello.") });
  const { run: id } = await rt.run(helper, "Hi.", { session: "alice" }).outcome();
  assert.ok(keys.subjects.has("session:alice"));
  const [first] = await rt.journal(id);
  assert.ok(first?.type === "run_started");
  assert.ok(await rt.content(id, first.input));
  await rt.erase({ kind: "session", session: "alice" });
  assert.equal(keys.subjects.has("session:alice"), false);
  await assert.rejects(rt.content(id, first.input), { code: "content_erased" });
  await assert.rejects(Runtime.open("memory:", { keys }), { code: "options_malformed" });
});

/** A witness as C2SP's tlog-cosignature has it, which signs whatever it is shown, or refuses. */
function witnessOf(name: string, refuses: () => boolean): Witness & { readonly asked: unknown[] } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const key = Buffer.concat([Buffer.of(4), publicKey.export({ type: "spki", format: "der" }).subarray(-32)]);
  const id = createHash("sha256").update(`${name}\n`).update(key).digest().subarray(0, 4);
  const asked: unknown[] = [];
  return {
    verifierKey: `${name}+${id.toString("hex")}+${key.toString("base64")}`,
    asked,
    cosign: async (request) => {
      asked.push(request);
      if (refuses()) throw new Error("not today");
      const time = Math.floor(Date.now() / 1000);
      const body = request.checkpoint.slice(0, request.checkpoint.indexOf("\n\n") + 1);
      const signature = sign(null, Buffer.from(`cosignature/v1\ntime ${time}\n${body}`), privateKey);
      const stamp = Buffer.alloc(8);
      stamp.writeBigUInt64BE(BigInt(time));
      return { signed: `\u2014 ${name} ${Buffer.concat([id, stamp, signature]).toString("base64")}\n` };
    },
  };
}

test("a witness in JavaScript signs checkpoints, and its refusal leaves only its signature out", async () => {
  let refusing = true;
  const witness = witnessOf("witness.example.org", () => refusing);
  await using rt = await Runtime.open("memory:", { witnesses: [witness] });
  const helper = agent({ name: "helper", model: scripted("Hello.") });
  const { run: id } = await rt.run(helper, "Hi.").outcome();
  await rt.checkpointed(id);
  await rt.witnessed("helper");
  const { verifier_key: key } = await rt.logInfo("helper");
  const policy = { logKeys: [key], witnesses: [witness.verifierKey] };
  const unwitnessed = await rt.proof(id);
  assert.ok(witness.asked.length > 0);
  assert.ok(Runtime.verify(unwitnessed, { logKeys: [key] }));
  assert.throws(
    () => Runtime.verify(unwitnessed, policy),
    (error) => (error as { details: { verdict: string } }).details.verdict === "policy_unmet",
  );
  refusing = false;
  await rt.witnessed("helper");
  assert.ok(Runtime.verify(await rt.proof(id), policy));
  await assert.rejects(Runtime.open("memory:", { witnesses: [{ ...witness, verifierKey: "none" }] }), {
    code: "key_malformed",
  });
});

test("an anchor in JavaScript keeps checkpoints", async () => {
  const kept: AnchorSubmission[] = [];
  const anchor: Anchor = {
    name: "test/anchor",
    submit: ({ batch }) => {
      kept.push(...batch);
      return batch.map(({ size }) => ({ ticket: `ticket ${size}` }));
    },
    check: async () => ({ verified: { other: { kind: "test", data: [1, 2, 3] } } }),
    newest: ({ origin }) => kept.filter((submission) => submission.origin === origin).at(-1) ?? null,
  };
  await using rt = await Runtime.open("memory:", { anchors: [anchor] });
  const { run: id } = await rt.run(agent({ name: "helper", model: scripted("Hello.") }), "Hi.").outcome();
  await rt.checkpointed(id);
  const [record] = await rt.anchor("helper");
  assert.ok(record !== undefined && kept.length === 1);
  assert.equal(record.anchor, "test/anchor");
  assert.equal(record.ticket, `ticket ${kept[0]?.size}`);
  assert.match(kept[0]?.root ?? "", /^[0-9a-f]{64}$/);
});

test("a cache in JavaScript, or one in memory, gives answers again without asking the model", async () => {
  const values = new Map<string, string>();
  const own: Cache = {
    get: ({ key }) => values.get(key) ?? null,
    put: async ({ key, value, ttl_ms }) => {
      assert.equal(ttl_ms, 1000);
      values.set(key, value);
    },
  };
  for (const cache of [own, true]) {
    // Its second answer would be another one.
    await using fake = await fakeLlm([{ text: "first" }, { text: "second" }]);
    await using rt = await Runtime.open("memory:", { cache, cacheTtlMs: 1000 });
    const model = { ...fake.model, settings: { temperature: 0 } };
    const helper = agent({ name: "helper", model });
    const outputs = [await rt.run(helper, "Hi.").output(), await rt.run(helper, "Hi.").output()];
    assert.deepEqual(outputs, ["first", "first"]);
  }
  assert.equal(values.size, 1);
});

test("an embedder makes vectors of texts", async () => {
  const asked: unknown[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const data of request) body += data;
    const { input } = JSON.parse(body) as { input: string[] };
    asked.push(request.url, input);
    const data = input.map((text, index) => ({ object: "embedding", index, embedding: [text.length, 0.5] }));
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ object: "list", data, model: "emb", usage: { prompt_tokens: 2, total_tokens: 2 } }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  try {
    const { port } = server.address() as AddressInfo;
    process.env["NFA_FAKE_KEY"] ??= "test";
    const name = "openai/text-embedding-3-small";
    const embedder = new Embedder({ name, baseUrl: `http://127.0.0.1:${port}/v1`, apiKeyEnv: "NFA_FAKE_KEY" });
    const { vectors, model, usage } = await embedder.embed(["Oslo", "Bergen"]);
    assert.deepEqual(vectors, [
      [4, 0.5],
      [6, 0.5],
    ]);
    assert.deepEqual([model, usage.inputTokens], ["emb", 2]);
    assert.deepEqual(asked, ["/v1/embeddings", ["Oslo", "Bergen"]]);
    await assert.rejects(embedder.embed(["Oslo", " "]), { code: "embedding_text_empty" });
  } finally {
    server.close();
  }
  assert.throws(() => new Embedder("nobody/knows"), { code: "model_unknown_provider" });
});
