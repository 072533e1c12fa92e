/** ESM and CommonJS: one implementation behind both. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { program, run } from "./support/child.mjs";

test("ESM and CommonJS get the same classes and the same engine", async () => {
  const ended = await run(
    program(`
      import { createRequire } from "node:module";
      import * as esm from "nfa-runtime";
      const cjs = createRequire(import.meta.url)("nfa-runtime");
      const names = Object.keys(cjs).filter((name) => name !== "__esModule");
      const different = names.filter((name) => esm[name] !== cjs[name]);
      console.log(JSON.stringify([names.length > 15, different, names.length === Object.keys(esm).length]));
    `),
  );
  assert.equal(ended.stdout, "[true,[],true]\n", ended.stderr);
});

test("CommonJS runs an agent", async () => {
  const ended = await run(
    program(
      `
      const { agent, Runtime } = require("nfa-runtime");
      const answer = { message: { role: "assistant", parts: [{ type: "text", text: "hello" }] }, finish: "stop" };
      const helper = agent({ name: "helper", model: { name: "test/fixed", generate: () => answer } });
      (async () => {
        const rt = await Runtime.open();
        console.log(await rt.run(helper, "go").output());
        await rt.close();
      })();
    `,
      "cjs",
    ),
  );
  assert.deepEqual([ended.code, ended.stdout], [0, "hello\n"], ended.stderr);
});

test("importing loads no addon: only opening a runtime does", async () => {
  const ended = await run(
    program(`
      process.env.NFA_RUNTIME_BINDING = "/nowhere/nfa.node";
      const { agent, NativeBindingError, Runtime } = await import("nfa-runtime");
      const helper = agent({ name: "helper", model: "openai/gpt-5-mini" });
      try { await Runtime.open(); } catch (error) {
        console.log(helper.name, error instanceof NativeBindingError, error.code, error.category, error.tried.length);
      }
    `),
  );
  assert.equal(ended.stdout, "helper true native_binding_missing configuration 1\n", ended.stderr);
});
