/**
 * What a tool is told beside its input: who asks, until when, and how to notice that nobody waits any more.
 *
 * @module
 */

/** The context of a call as the engine sends it. */
export interface CallData {
  readonly run: string;
  readonly step: string;
  readonly attempt: number;
  readonly agent: string;
  readonly session?: string;
  readonly idempotency_key: string;
  /** Milliseconds from now. */
  readonly deadline_ms?: number;
}

/** What a tool's function is given beside its input. */
export class ToolContext<Deps = unknown> {
  /** The run that asks. */
  readonly run: string;
  /** The step that asks, such as `2.1`. */
  readonly step: string;
  /** Which try of that step this is, from 1. */
  readonly attempt: number;
  /** The agent that asks. */
  readonly agent: string;
  /** The session, where there is one. */
  readonly session: string | undefined;
  /** The same for every attempt of this step: what a `keyed` tool passes on. */
  readonly idempotencyKey: string;
  /** When the call should be over. */
  readonly deadline: Date | undefined;
  /** What the caller of the run gave to its tools. */
  readonly deps: Deps;
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  /** @internal */
  constructor(data: CallData, deps: Deps) {
    this.run = data.run;
    this.step = data.step;
    this.attempt = data.attempt;
    this.agent = data.agent;
    this.session = data.session;
    this.idempotencyKey = data.idempotency_key;
    this.deadline = data.deadline_ms === undefined ? undefined : new Date(Date.now() + data.deadline_ms);
    this.deps = deps;
  }

  /** Aborted when the run is cancelled, when the call is out of time, or when nobody waits for it any more. */
  get signal(): AbortSignal {
    // Made when it is asked for: most calls are over before anybody does.
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) {
        this.#controller.abort(this.#reason);
      }
    }
    return this.#controller.signal;
  }

  /** Whether `signal` is aborted, or would be. */
  get cancelled(): boolean {
    return this.#reason !== undefined;
  }

  /** @internal */
  cancel(reason: Error): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }
}
