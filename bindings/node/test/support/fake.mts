/** The fake LLM server as a process, for tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { packageRoot } from "./paths.mjs";

/** A running server. */
export interface Fake extends AsyncDisposable {
  readonly baseUrl: string;
  readonly model: { readonly name: string; readonly baseUrl: string; readonly apiKeyEnv: string };
}

process.env["NFA_FAKE_KEY"] ??= "test";

/** Starts `fake-llm MODE`: `one`, `tools:N` (rounds of the tool `add`) or `stream:N`. */
export async function fakeLlm(mode: string): Promise<Fake> {
  const server = spawn(binary(), [mode, "--judge"], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(server.stdout, "data")) as [Buffer];
  const baseUrl = line.toString().trim();
  return {
    baseUrl,
    model: { name: "openai/fake", baseUrl, apiKeyEnv: "NFA_FAKE_KEY" },
    [Symbol.asyncDispose]: () => stop(server),
  };
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill();
  await once(server, "exit");
}

function binary(): string {
  const target = process.env["CARGO_TARGET_DIR"] ?? join(packageRoot, "../../target");
  const named = process.env["NFA_FAKE_LLM"] ?? join(target, "debug/fake-llm");
  if (!existsSync(named)) {
    throw new Error(`no fake-llm at ${named}: cargo build -p nfa-testkit --bin fake-llm`);
  }
  return named;
}
