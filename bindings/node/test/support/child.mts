/** Programs in a process of their own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { packageRoot } from "./paths.mjs";

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

let programs = 0;

/** Writes a program beside this package, so that it can import it, and gives its path. */
export function program(source: string, extension: "mjs" | "cjs" = "mjs"): string {
  const path = join(packageRoot, "build", `program-${process.pid}-${(programs += 1)}.${extension}`);
  writeFileSync(path, source);
  return path;
}

/** Runs a program to its end; one that does not end within half a minute is killed. */
export async function run(
  path: string,
  args: readonly string[] = [],
  nodeArgs: readonly string[] = [],
  cwd?: string,
): Promise<Ended> {
  const began = performance.now();
  const stdio = ["ignore", "pipe", "pipe"] as const;
  const child = spawn(process.execPath, [...nodeArgs, path, ...args], { stdio: [...stdio], cwd });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data) => (stdout += data));
  child.stderr.on("data", (data) => (stderr += data));
  const patience = setTimeout(() => child.kill("SIGKILL"), 30_000);
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  clearTimeout(patience);
  return { code, signal, stdout, stderr, ms: performance.now() - began };
}
