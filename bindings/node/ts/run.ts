/**
 * A run as its caller holds it: iterated, streamed, awaited, cancelled, or left to itself.
 *
 * @module
 */
import { defaultMaxListeners, getMaxListeners, setMaxListeners } from "node:events";
import { ReadableStream } from "node:stream/web";

import { type Bridge, Given } from "./bridge.js";
import { InputError, RunCancelledError } from "./errors.js";
import type { Event } from "./generated/types.js";
import { native } from "./native.js";
import { type Outcome, type OutcomeData, outcomeOf } from "./outcome.js";
import type { Schema } from "./schema.js";

/** How many runs may heed one signal before Node warns of a leak. */
const MANY_RUNS = 1500;

/** How a run comes to be. @internal */
export interface RunSource {
  readonly bridge: Bridge;
  /** Starts it, and gives its number. */
  readonly start: (heard: boolean) => number;
  /** Whether its events are kept for a reader, whatever `start` was told. */
  readonly alwaysHeard: boolean;
  readonly output: Schema | undefined;
  readonly signal: AbortSignal | undefined;
  readonly events: boolean | undefined;
}

/**
 * A run under way.
 *
 * ```ts
 * const run = rt.run(helper, "Is it raining in Oslo?");
 * for await (const event of run) {
 *   if (event.type === "text_delta") process.stdout.write(event.text);
 * }
 * const { output } = await run.outcome();
 * ```
 *
 * It starts in the next microtask. Whoever iterates it, or asks for its `stream()`, before that hears its events;
 * otherwise the model may answer on a cheaper wire, and only the outcome is to be had. Leaving the loop does not
 * stop it, nor does dropping it: `cancel()`, an aborted `signal` and the end of an `await using` do. A run that
 * nobody awaits keeps no process alive.
 */
export class Run<Out = unknown> implements AsyncIterable<Event>, AsyncDisposable {
  readonly #source: RunSource;
  readonly #begun: Promise<number>;
  #slot: number | undefined;
  #heard: boolean;
  #isBegun = false;
  #cancelled = false;
  #over = false;
  #events: readonly Event[] = [];
  #at = 0;
  #readers = 0;
  #pulling: Promise<void> | undefined;
  #finishing: Promise<Outcome<Out>> | undefined;
  #forgetSignal: (() => void) | undefined;

  /** @internal */
  constructor(source: RunSource) {
    this.#source = source;
    this.#heard = source.events ?? false;
    this.#begun = Promise.resolve().then(() => this.#begin());
    // Whoever asks for something is told; nobody else has to be.
    this.#begun.catch(() => undefined);
  }

  /**
   * Its id, once it exists durably.
   *
   * @throws {@link NfaError} what kept it from starting.
   */
  async started(): Promise<string> {
    const slot = await this.#begun;
    if (this.#slot === undefined) return (await this.outcome()).run;
    const { bridge } = this.#source;
    return bridge.wait(native(() => bridge.native.started(slot)));
  }

  /**
   * How it ends. Events that nobody reads are dropped.
   *
   * @throws {@link NfaError} what kept it from starting or from being driven on. A run that failed, was cancelled
   * or hit a limit has an outcome, and throws nothing.
   */
  async outcome(): Promise<Outcome<Out>> {
    const { bridge } = this.#source;
    bridge.hold();
    try {
      return await this.#finish();
    } finally {
      bridge.release();
    }
  }

  /**
   * The final answer.
   *
   * @throws {@link NfaError} as {@link Outcome.output}, and as {@link Run.outcome}.
   */
  async output(): Promise<Out> {
    return (await this.outcome()).output;
  }

  /** Asks it to stop; its outcome tells when it has. */
  cancel(): void {
    this.#cancelled = true;
    if (this.#slot !== undefined) this.#source.bridge.native.cancel(this.#slot);
  }

  /**
   * Its events, each given once, whoever asks. Leaving the loop does not stop the run.
   *
   * @throws {@link InputError} `run_not_heard` when it began without anybody who hears: iterate it before anything
   * is awaited, or start it with `events: true`.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Event> {
    this.#hear();
    this.#readers += 1;
    let open = true;
    const close = (): void => {
      if (!open) return;
      open = false;
      this.#readers = Math.max(0, this.#readers - 1);
      // Nobody reads any more: the run must not wait for a reader.
      if (this.#readers === 0 && !this.#over) this.#finish().catch(() => undefined);
    };
    const iterator: AsyncIterableIterator<Event> = {
      next: async () => {
        const event = open ? await this.#next() : undefined;
        return event === undefined ? { done: true, value: undefined } : { done: false, value: event };
      },
      return: async () => {
        close();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Its events as a stream; with `cancelRun`, cancelling the stream cancels the run. */
  stream(options: { readonly cancelRun?: boolean } = {}): ReadableStream<Event> {
    const events = this[Symbol.asyncIterator]();
    return new ReadableStream<Event>(
      {
        pull: async (controller) => {
          const { done, value } = await events.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
        },
        cancel: async () => {
          if (options.cancelRun === true) this.cancel();
          await events.return?.();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Cancels it, unless it is over, and waits until it has stopped: for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over || this.#finishing === undefined) this.cancel();
    this.#readers = 0;
    await this.outcome().catch(() => undefined);
  }

  #begin(): number {
    this.#isBegun = true;
    const { bridge, signal, start, alwaysHeard } = this.#source;
    if (signal?.aborted === true) {
      throw new RunCancelledError("the signal was aborted before the run began; nothing was started", {
        code: "run_not_started",
        cause: signal.reason,
      });
    }
    const slot = start(this.#heard);
    this.#slot = slot;
    runs.register(this, { bridge, slot }, this);
    if (this.#cancelled) bridge.native.cancel(slot);
    if (signal !== undefined) this.#heed(signal, slot);
    // Events that are kept for nobody would stop it.
    if (alwaysHeard && !this.#heard) this.#finish().catch(() => undefined);
    return slot;
  }

  #heed(signal: AbortSignal, slot: number): void {
    const { bridge } = this.#source;
    // Without `this`, so that a signal that lives for long keeps no run in memory.
    const cancel = (): void => bridge.native.cancel(slot);
    // One signal for many runs is no leak; what its owner chose otherwise stands.
    if (getMaxListeners(signal) === defaultMaxListeners) setMaxListeners(MANY_RUNS, signal);
    signal.addEventListener("abort", cancel, { once: true });
    this.#forgetSignal = () => signal.removeEventListener("abort", cancel);
  }

  #hear(): void {
    if (this.#isBegun && !this.#heard) {
      throw new InputError(
        "the run began without anybody who hears its events: iterate it before anything is awaited, " +
          "or start it with `events: true`",
        { code: "run_not_heard" },
      );
    }
    this.#heard = true;
  }

  async #next(): Promise<Event | undefined> {
    while (this.#at === this.#events.length) {
      if (this.#over) return undefined;
      await this.#pull();
    }
    return this.#events[this.#at++];
  }

  /** Fetches events into the buffer, once for all who wait. */
  #pull(): Promise<void> {
    this.#pulling ??= this.#fetch().finally(() => {
      this.#pulling = undefined;
    });
    return this.#pulling;
  }

  async #fetch(): Promise<void> {
    const { bridge } = this.#source;
    const slot = this.#isBegun && this.#slot !== undefined ? this.#slot : await this.#begun;
    if (this.#finishing !== undefined && this.#readers === 0) {
      await this.#finishing;
      this.#over = true;
      return;
    }
    try {
      const ready = bridge.native.ready(slot);
      const events =
        ready === null
          ? await bridge.wait<readonly Event[]>(native(() => bridge.native.events(slot)))
          : (JSON.parse(ready) as readonly Event[]);
      if (events.length === 0) {
        this.#over = true;
        // What the engine keeps for it is let go of now, and not when somebody asks.
        this.#finish().catch(() => undefined);
      }
      this.#keep(events);
    } catch (error) {
      this.#over = true;
      throw error;
    }
  }

  #keep(events: readonly Event[]): void {
    this.#events = this.#at === this.#events.length ? events : [...this.#events.slice(this.#at), ...events];
    this.#at = 0;
  }

  #finish(): Promise<Outcome<Out>> {
    this.#finishing ??= this.#ended();
    return this.#finishing;
  }

  async #ended(): Promise<Outcome<Out>> {
    const { bridge, output } = this.#source;
    const slot = await this.#begun;
    // Who reads is to lose nothing, and may be slower than the run.
    while (this.#readers > 0 && !this.#over) await this.#pull();
    const data = await bridge.wait<OutcomeData>(
      native(() => bridge.native.outcome(slot)),
      false,
    );
    this.#over = true;
    this.#slot = undefined;
    bridge.native.dropRun(slot);
    runs.unregister(this);
    this.#forgetSignal?.();
    return outcomeOf<Out>(data, output);
  }
}

/** Runs that nobody holds any more go on by themselves. */
const runs = new FinalizationRegistry<{ readonly bridge: Bridge; readonly slot: number }>(({ bridge, slot }) =>
  bridge.native.dropRun(slot),
);

/** What travels with a run, put into the table for as long as the engine has it. @internal */
export function withGiven(bridge: Bridge, deps: unknown): <R>(start: (given: number) => R) => R {
  const given = new Given(deps);
  return (start) => {
    const id = bridge.put(given);
    try {
      return native(() => start(id));
    } catch (error) {
      bridge.forget(id);
      throw error;
    }
  };
}
