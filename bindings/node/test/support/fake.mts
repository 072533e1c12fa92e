/** The fake LLM server as a process, for tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { packageRoot, scratch } from "./paths.mjs";

/** A running server. */
export interface Fake extends AsyncDisposable {
  readonly baseUrl: string;
  readonly model: { readonly name: string; readonly baseUrl: string; readonly apiKeyEnv: string };
}

process.env["NFA_FAKE_KEY"] ??= "test";

/** An answer of a scripted server; `scenarios/README.md` says what its members mean. */
export interface Turn {
  readonly text?: string;
  readonly reasoning?: string;
  readonly calls?: ReadonlyArray<{ readonly tool: string; readonly arguments?: unknown }>;
  readonly error?: { readonly status: number; readonly message?: string };
  readonly chunk?: number;
  readonly cut?: number;
  readonly stall?: number;
}

/** Starts `fake-llm`: `one`, `tools:N` (rounds of the tool `add`), `stream:N`, or the turns of a script. */
export async function fakeLlm(mode: string | readonly Turn[]): Promise<Fake> {
  if (typeof mode === "string") return serveFake([mode]);
  using folder = scratch();
  writeFileSync(folder.at("turns.json"), JSON.stringify(mode));
  return await serveFake(["--script", folder.at("turns.json")]);
}

/** Starts `fake-llm` with these arguments, judging. */
export async function serveFake(args: readonly string[]): Promise<Fake> {
  // Its standard input ends with this process, and so does the server.
  const server = spawn(binary(), [...args, "--judge", "--until-eof"], { stdio: ["pipe", "pipe", "inherit"] });
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
