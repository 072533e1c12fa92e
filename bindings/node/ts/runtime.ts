/**
 * Where agents run.
 *
 * @module
 */
import { Agent, type Limits, limitsSpec } from "./agent.js";
import { type Bridge, theBridge } from "./bridge.js";
import { errorFrom, type ErrorData, InputError, type NfaError } from "./errors.js";
import type {
  AgentState,
  AnchorRecord,
  BeaconData,
  ConsistencyProof,
  Content,
  Entry,
  Erased,
  LogCheck,
  LogExport,
  LogInfo,
  LogKey,
  Message,
  Part,
  Receipt,
  RunFilter,
  RunRecord,
  SignalSent,
} from "./generated/types.js";
import { present } from "./models.js";
import { native } from "./native.js";
import { type PortOptions, portParts, type WitnessAt } from "./ports.js";
import { Run, type RunSource, withGiven } from "./run.js";

/** Choices for a runtime; what is left out has the default that is named. */
export interface RuntimeOptions extends PortOptions {
  /** Whether turns and tool calls are recorded in proof logs. Default: yes. */
  readonly proof?: boolean;
  /** The first part of the names of proof logs, such as your domain. Default: `nfa`. */
  readonly origin?: string;
  /** How long a run stays this process's own after its last sign of life. Default: 10 seconds. */
  readonly leaseMs?: number;
  /** How often signals from other processes are looked for. Default: 100 ms. */
  readonly pollMs?: number;
  /** Runs that are driven at once; more wait for a place. Default: 1024. */
  readonly concurrency?: number;
  /** Events that wait for a slow reader before it slows the run. Default: 64. */
  readonly eventCapacity?: number;
  /** How long `close` waits for calls under way. Default: 10 seconds. */
  readonly closeGraceMs?: number;
  /** How often a heartbeat is recorded in the log of every agent that runs here. Default: never. */
  readonly heartbeatMs?: number;
  /** How long a witness may take. Default: 5 seconds. */
  readonly witnessTimeoutMs?: number;
  /** How long an anchor may take over one answer. Default: 10 seconds. */
  readonly anchorTimeoutMs?: number;
  /** When a log goes to the anchors. Default: after 100 leaves, or 5 minutes. */
  readonly anchorEvery?: { readonly leaves: number; readonly afterMs: number };
}

/** What is said to an agent: a text, a message, or the parts of one by the user. */
export type Input = string | Message | readonly Part[];

/** How a run is started. */
export interface RunOptions {
  /** Speaks in this session: the model sees what was said before. */
  readonly session?: string;
  /** Acts for this user: content belongs to them across sessions, and is erased with them. */
  readonly user?: string;
  /** What happens while the session has another open run. Default: `refuse`, with `session_busy`. */
  readonly whenBusy?: "refuse" | "queue";
  /** Cancels the run, and with it its tools, when it is aborted. */
  readonly signal?: AbortSignal;
  /** Whether events are kept for a reader; decided by who asks first, when left out. */
  readonly events?: boolean;
}

/** The options of a run of an agent whose tools want `Deps`: needed where they cannot do without. */
export type RunArguments<Deps> = unknown extends Deps
  ? [options?: RunOptions & { readonly deps?: unknown }]
  : undefined extends Deps
    ? [options?: RunOptions & { readonly deps?: Deps }]
    : [options: RunOptions & { readonly deps: Deps }];

/** How a run is gone on with. */
export interface ResumeOptions<Out = unknown, Deps = unknown> {
  /** The agent that it runs, whose code is made known first, and whose schema the output is of. */
  readonly agent?: Agent<Out, Deps>;
  /** Other limits from here on, for a run that had stopped. */
  readonly limits?: Limits;
  /** What the tools are given: no journal holds it. */
  readonly deps?: NoInfer<Deps>;
  /** Cancels the run when it is aborted. */
  readonly signal?: AbortSignal;
  /** Whether events are kept for a reader; decided by who asks first, when left out. */
  readonly events?: boolean;
}

/** A run that was taken up again, or why it was not. */
export type Resumed =
  | { readonly id: string; readonly run: Run; readonly error?: undefined }
  | { readonly id: string; readonly run?: undefined; readonly error: NfaError };

/** Who decides, in your own words for them: the proof log commits to it. */
export interface Deciding {
  /** In your own words: the proof log commits to it. */
  readonly by?: string;
}

/** What is erased. */
export type Erasure =
  | { readonly kind: "session"; readonly session: string }
  | { readonly kind: "user"; readonly user: string }
  | { readonly kind: "run"; readonly run: string }
  | { readonly kind: "field"; readonly run: string; readonly entry: number; readonly field: number };

/** A proof bundle: JSON that verifies without us. */
export interface Bundle {
  readonly [member: string]: unknown;
}

/** Whom a verifier believes. */
export interface VerifyPolicy {
  /** Keys of logs, as C2SP verifier keys. */
  readonly logKeys: readonly string[];
  /** Keys of witnesses. */
  readonly witnesses?: readonly string[];
  /** How many of them must have signed; all when left out. */
  readonly witnessesRequired?: number;
  /** From which size of its log a key no longer counts. */
  readonly cutoffs?: ReadonlyArray<{ readonly key: string; readonly size: number }>;
}

/**
 * Where agents run: a store, models and tools.
 *
 * ```ts
 * await using rt = await Runtime.open("sqlite:agents.db");
 * const { output } = await rt.run(helper, "Is it raining in Oslo?", { session: "alice" }).outcome();
 * ```
 */
export class Runtime implements AsyncDisposable {
  readonly #bridge: Bridge;
  readonly #number: number;
  #closing: Promise<void> | undefined;

  private constructor(bridge: Bridge, number: number) {
    this.#bridge = bridge;
    this.#number = number;
    runtimes.register(this, { bridge, number }, this);
  }

  /**
   * Opens the store at `url`: `memory:` keeps everything in this process, `sqlite:PATH` in one file, made if absent,
   * with its keys beside it.
   *
   * @throws {@link InputError} `store_url_invalid` for another URL, and what the store gives.
   * @throws {@link NativeBindingError} where no binary fits this platform.
   */
  static async open(url = "memory:", options: RuntimeOptions = {}): Promise<Runtime> {
    const bridge = theBridge();
    const ports = JSON.stringify(portParts(bridge, options));
    const ticket = native(() => bridge.native.open(url, JSON.stringify(openOptions(options)), ports));
    return new Runtime(bridge, await bridge.wait<number>(ticket));
  }

  /**
   * Begins a run of `agent`. It starts in the next microtask; what keeps it from starting is told to whoever awaits
   * or iterates it.
   *
   * @throws {@link InputError} for something else than an agent.
   */
  run<Out, Deps>(agent: Agent<Out, Deps>, input: Input, ...[options = {}]: RunArguments<Deps>): Run<Out> {
    checkAgent(agent);
    const { session, user, whenBusy, signal, events } = options;
    const bridge = this.#bridge;
    const start = present({ session, user, queue: whenBusy === "queue" || undefined });
    const given = withGiven(bridge, options.deps);
    return new Run<Out>({
      ...this.#source(agent.output, signal, events),
      alwaysHeard: false,
      start: (heard) => {
        const number = agentNumber(bridge, agent);
        return given((id) =>
          bridge.native.start(this.#number, number, JSON.stringify(input), JSON.stringify(start), id, heard),
        );
      },
    });
  }

  /**
   * Goes on with a run: one that a crash interrupted, that waits, or that failed, was cancelled or hit a limit. A
   * completed run gives its outcome again. Its agent is named here, or was made known by {@link Runtime.register}.
   */
  resume<Out = unknown, Deps = unknown>(run: string, options: ResumeOptions<Out, Deps> = {}): Run<Out> {
    const { agent, limits, signal, events } = options;
    if (agent !== undefined) checkAgent(agent);
    const bridge = this.#bridge;
    const parts = present({ limits: limits && limitsSpec(limits) });
    const given = withGiven(bridge, options.deps);
    return new Run<Out>({
      ...this.#source(agent?.output, signal, events),
      alwaysHeard: true,
      start: () => {
        if (agent !== undefined) this.register(agent);
        return given((id) => bridge.native.resume(this.#number, run, JSON.stringify(parts), id));
      },
    });
  }

  /** Goes on with every run that was interrupted, or whose time is up, and whose agent is known here. */
  async resumeAll(options: { readonly deps?: unknown; readonly events?: boolean } = {}): Promise<readonly Resumed[]> {
    const bridge = this.#bridge;
    const ticket = withGiven(bridge, options.deps)((id) => bridge.native.resumeAll(this.#number, id));
    const runs = await bridge.wait<ReadonlyArray<[string, number | null, ErrorData | null]>>(ticket);
    return runs.map(([id, number, report]) => {
      if (number === null) return { id, error: errorFrom(report as ErrorData) };
      const source = this.#source(undefined, undefined, options.events);
      return { id, run: new Run({ ...source, alwaysHeard: true, start: () => number }) };
    });
  }

  /**
   * Checks an agent, and makes its code known, so that its runs can be resumed here.
   *
   * @throws {@link NfaError} what is wrong with it.
   */
  register(...agents: ReadonlyArray<Agent<any, any>>): void {
    for (const agent of agents) {
      checkAgent(agent);
      const number = agentNumber(this.#bridge, agent);
      native(() => this.#bridge.native.register(this.#number, number));
    }
  }

  /** Says yes to a step that asks. */
  approve(run: string, step: string, { by }: Deciding = {}): Promise<SignalSent> {
    return this.#perform("decide", { run, step, decision: { kind: "approve" }, by });
  }

  /** Says no to a step that asks; the model is told why. */
  deny(run: string, step: string, { reason, by }: Deciding & { readonly reason?: string } = {}): Promise<SignalSent> {
    return this.#perform("decide", { run, step, decision: { kind: "deny", reason }, by });
  }

  /** Gives a step that asks its result; it is not performed. */
  answer(run: string, step: string, text: string, { by }: Deciding = {}): Promise<SignalSent> {
    return this.#perform("decide", { run, step, decision: { kind: "answer", text }, by });
  }

  /** Stops a run, wherever it is driven. One that nobody drives is stopped here. */
  cancel(run: string): Promise<SignalSent> {
    return this.#perform("cancel", { run });
  }

  /** One run as the store lists it. */
  runRecord(run: string): Promise<RunRecord> {
    return this.#perform("run_record", { run });
  }

  /** Runs that match, newest first. */
  runs(filter: Partial<RunFilter> = {}): Promise<readonly RunRecord[]> {
    return this.#perform("runs", { filter });
  }

  /** The journal of a run. */
  journal(run: string): Promise<readonly Entry[]> {
    return this.#perform("journal", { run });
  }

  /** The journal of a run, as text that is the same wherever the same thing happened. */
  canonicalJournal(run: string): Promise<string> {
    return this.#perform("canonical_journal", { run });
  }

  /** Content that a run's entries name, opened. */
  content(run: string, address: string): Promise<Content> {
    return this.#perform("content", { run, address });
  }

  /** Where the leaves of a run stand now. */
  receipt(run: string): Promise<Receipt> {
    return this.#perform("receipt", { run });
  }

  /** Waits until a signed checkpoint covers every leaf of a run. */
  checkpointed(run: string): Promise<Receipt> {
    return this.#perform("checkpointed", { run });
  }

  /** The proof of a run, in the log of its first agent unless another is named. */
  proof(run: string, options: { readonly agent?: string } = {}): Promise<Bundle> {
    return this.#perform("proof", { run, agent: options.agent });
  }

  /** The proof of one turn that also shows what its model was sent. */
  contextProof(run: string, entry: number, messages?: readonly number[]): Promise<Bundle> {
    return this.#perform("context_proof", { run, entry, messages });
  }

  /** The proof of what befell an agent outside its runs. */
  agentProof(agent: string): Promise<Bundle> {
    return this.#perform("agent_proof", { agent });
  }

  /** An agent's proof log: its name, key, size and newest checkpoint. */
  logInfo(agent: string): Promise<LogInfo> {
    return this.#perform("log_info", { agent });
  }

  /** The keys of an agent's log, and from where to where each counts. */
  logKeys(agent: string): Promise<readonly LogKey[]> {
    return this.#perform("log_keys", { agent });
  }

  /** Gives an agent's log a new key. */
  rotateLogKey(agent: string): Promise<LogKey> {
    return this.#perform("rotate_log_key", { agent });
  }

  /** Ends the overlap of a key that was replaced. */
  cutOffLogKey(agent: string, verifierKey: string, size?: number): Promise<LogKey> {
    return this.#perform("cut_off_log_key", { agent, verifier_key: verifierKey, size });
  }

  /** The proof that a log of `to` leaves begins with the log of `from` leaves. */
  consistency(agent: string, from: number, to: number): Promise<ConsistencyProof> {
    return this.#perform("consistency", { agent, from, to });
  }

  /** Recomputes an agent's log. */
  checkLog(agent: string): Promise<LogCheck> {
    return this.#perform("check_log", { agent });
  }

  /** Asks the witnesses to sign the newest checkpoint, and tells where the log stands then. */
  witnessed(agent: string): Promise<LogInfo> {
    return this.#perform("witnessed", { agent });
  }

  /** Gives an agent's newest checkpoint to the anchors. */
  anchor(agent: string): Promise<readonly AnchorRecord[]> {
    return this.#perform("anchor", { agent });
  }

  /** Where an agent's checkpoints above a size stand with the anchors. */
  anchors(agent: string, options: { readonly above?: number } = {}): Promise<readonly AnchorRecord[]> {
    return this.#perform("anchors", { agent, above: options.above });
  }

  /** Records that an agent's log is alive, and perhaps a value that nobody knew earlier. */
  async heartbeat(agent: string, beacon?: BeaconData): Promise<void> {
    await this.#perform("heartbeat", { agent, beacon });
  }

  /** Writes an agent's log as C2SP tiles into a folder. */
  exportLog(agent: string, folder: string): Promise<LogExport> {
    return this.#perform("export_log", { agent, folder });
  }

  /** Lets an agent take no new runs for now. */
  pauseAgent(agent: string): Promise<AgentState> {
    return this.#perform("pause_agent", { agent });
  }

  /** Lets a paused agent take new runs again. */
  resumeAgent(agent: string): Promise<AgentState> {
    return this.#perform("resume_agent", { agent });
  }

  /** Lets an agent take no new runs any more. */
  terminateAgent(agent: string): Promise<AgentState> {
    return this.#perform("terminate_agent", { agent });
  }

  /** Where an agent stands. */
  agentState(agent: string): Promise<AgentState> {
    return this.#perform("agent_state", { agent });
  }

  /** Erases content: keys first, then bytes. What was proved of the rest still holds. */
  erase(what: Erasure): Promise<Erased> {
    return this.#perform("erase", { what });
  }

  /**
   * Verifies a proof bundle, and gives what it proves and what it does not. It needs no store.
   *
   * @throws {@link InputError} for one that does not hold, with its `verdict` in the details.
   */
  static verify(bundle: Bundle, policy: VerifyPolicy): unknown {
    const { logKeys, witnessesRequired, ...same } = policy;
    const data = present({ log_keys: logKeys, witnesses_required: witnessesRequired, ...same });
    const { module } = theBridge();
    return JSON.parse(native(() => module.verify(JSON.stringify(bundle), JSON.stringify(data))));
  }

  /**
   * Starts nothing more, lets calls under way finish, and leaves every run so that it can be resumed; then closes
   * the store.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Closes it: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const bridge = this.#bridge;
    await bridge.wait(native(() => bridge.native.close(this.#number)));
  }

  #source(
    output: RunSource["output"],
    signal: AbortSignal | undefined,
    events: boolean | undefined,
  ): Pick<RunSource, "bridge" | "output" | "signal" | "events"> {
    return { bridge: this.#bridge, output, signal, events };
  }

  async #perform<T>(operation: string, args: object): Promise<T> {
    const bridge = this.#bridge;
    const text = JSON.stringify({ operation, ...args });
    return bridge.wait<T>(native(() => bridge.native.perform(this.#number, text)));
  }
}

const runtimes = new FinalizationRegistry<{ readonly bridge: Bridge; readonly number: number }>(({ bridge, number }) =>
  bridge.native.dropRuntime(number),
);

const agents = new FinalizationRegistry<{ readonly bridge: Bridge; readonly number: number }>(({ bridge, number }) =>
  bridge.native.dropAgent(number),
);

const numbers = new WeakMap<Agent<any, any>, number>();

function checkAgent(agent: unknown): void {
  if (!(agent instanceof Agent)) {
    throw new InputError("expected an agent, as `agent()` gives it", { code: "agent_invalid", component: "spec" });
  }
}

/** The engine's number of an agent, which is checked when it is first asked for. */
function agentNumber(bridge: Bridge, agent: Agent<any, any>): number {
  const known = numbers.get(agent);
  if (known !== undefined) return known;
  const number = bridge.agent(agent.spec, agent.code);
  numbers.set(agent, number);
  agents.register(agent, { bridge, number });
  return number;
}

function openOptions(options: RuntimeOptions): object {
  const { leaseMs, pollMs, eventCapacity, closeGraceMs, heartbeatMs, witnessTimeoutMs, ...others } = options;
  const { anchorTimeoutMs, anchorEvery, witnesses, store, keys, anchors, cache, cacheTtlMs, ...same } = others;
  return present({
    lease_ms: leaseMs,
    poll_ms: pollMs,
    event_capacity: eventCapacity,
    close_grace_ms: closeGraceMs,
    heartbeat_ms: heartbeatMs,
    witness_timeout_ms: witnessTimeoutMs,
    anchor_timeout_ms: anchorTimeoutMs,
    anchor_every: anchorEvery && { leaves: anchorEvery.leaves, after_ms: anchorEvery.afterMs },
    witnesses: witnesses
      ?.filter((witness): witness is WitnessAt => !("cosign" in witness))
      .map(({ url, verifierKey }) => ({ url, verifier_key: verifierKey })),
    ...same,
  });
}
