/**
 * The native addon's surface, and its errors as ours.
 *
 * @module
 */
import { type ErrorData, errorFrom, InternalError } from "./errors.js";

/** Every method returns at once; numbers that stand for something to come are tickets. */
export interface NativeHost {
  take(): string | null;
  open(url: string, options: string, ports: string): number;
  close(runtime: number): number;
  dropRuntime(runtime: number): void;
  agent(parts: string): number;
  programHash(agent: number): string;
  dropAgent(agent: number): void;
  register(runtime: number, agent: number): void;
  start(runtime: number, agent: number, input: string, options: string, given: number, heard: boolean): number;
  resume(runtime: number, run: string, options: string, given: number): number;
  resumeAll(runtime: number, given: number): number;
  started(run: number): number;
  ready(run: number): string | null;
  events(run: number): number;
  outcome(run: number): number;
  cancel(run: number): void;
  dropRun(run: number): void;
  perform(runtime: number, operation: string): number;
  engineStore(url: string): number;
  askStore(store: number, method: string, args: string): number;
  dropStore(store: number): void;
  embedder(spec: string): number;
  embed(embedder: number, texts: string[]): number;
  dropEmbedder(embedder: number): void;
  tasks(): number;
  held(): number;
  abandon(ticket: number): void;
  answer(call: number, value: string): void;
  add(call: number, value: string): boolean;
  raise(call: number, message: string): void;
  fail(call: number, report: string): void;
}

/** What the addon exports. */
export interface NativeModule {
  readonly Host: new (wake: () => void) => NativeHost;
  verify(bundle: string, policy: string): string;
  version(): string;
}

/** Calls a native function, and throws what it throws as an {@link NfaError}. */
export function native<T>(call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    throw fromNative(thrown);
  }
}

function fromNative(thrown: unknown): Error {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  try {
    return errorFrom(JSON.parse(message) as ErrorData);
  } catch {
    return new InternalError(message, { code: "binding_failed", cause: thrown });
  }
}
