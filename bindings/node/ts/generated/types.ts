// Generated from the JSON Schemas of the Rust types by `cargo xtask generate`: do not edit.

/** The address of a blob: BLAKE3 keyed by its subject. */
export type Address = string;

/** A model, instructions, tools, limits and memory policy, under a name. */
export interface AgentSpec {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`. */
  name: string;
  /** The model: `provider/model`, or an object with its settings. */
  model: ModelSpec;
  /** Other agents that this document defines, for `tools` and `handoffs`. */
  agents?: AgentSpec[];
  /** What other agents read to know when to hand over to this one. */
  description?: string;
  /** Agents that it may hand the conversation over to. */
  handoffs?: string[];
  /** The system prompt. */
  instructions?: string;
  /** Where a run stops. */
  limits?: LimitsInput;
  /** What of the session the model sees. */
  memory?: MemoryPolicy;
  /** JSON Schema (2020-12) that the final answer must match. */
  output?: unknown;
  /** What the agent may call. */
  tools?: ToolRef[];
}

/**
 * Where an agent stands.
 *
 * - `"active"`: It takes new runs.
 * - `"paused"`: It takes no new runs until it is resumed.
 * - `"terminated"`: It takes no new runs any more.
 */
export type AgentState = "active" | "paused" | "terminated";

/** Another agent, called like a function: it answers, and this agent goes on. */
export interface AgentTool {
  /** The agent's name. */
  agent: string;
  /** Whether it gets a run of its own, with its own journal, instead of a place in this one. */
  own_run?: boolean;
}

/** Where one checkpoint stands with one anchor. */
export interface AnchorRecord {
  /** The log. */
  log: LogId;
  /** The name of the anchor. */
  anchor: string;
  /** How many leaves the checkpoint covers. */
  size: number;
  /** Its root, in base64. */
  root: string;
  /** `pending`, `anchored` or `verified`. */
  state: string;
  /** What the anchor gave for it. */
  ticket: string | null;
  /** How often it was tried. */
  tries: number;
  /** Why the last try failed. */
  failure: string | null;
}

/**
 * What a person said.
 *
 * - `"approved"`: Yes: run it.
 * - `"denied"`: No.
 * - `"given"`: This is its result.
 */
export type AnswerKind = "approved" | "denied" | "given";

/**
 * Whether a person is asked before a tool runs.
 *
 * - `"never"`: It runs at once.
 * - `"always"`: Every call waits for a yes.
 */
export type Approval = "never" | "always";

/** A question that a run waits with. */
export interface Ask {
  /** The step that waits: what `approve`, `deny` and `answer` name. */
  step: StepPath;
  /** What is asked. */
  question: Question;
  /** The tool that waits. */
  tool: string;
  /** Its arguments, as JSON text. */
  arguments: string;
}

/** A `Beacon` whose value is in base64. */
export interface BeaconData {
  /** The chain that it comes from. */
  source: string;
  /** Its height. */
  height: number;
  /** The value, in base64. */
  value: string;
}

/** Call the tool. */
export interface ToolCallDecision {
  /** Tells it from the others. */
  do: "tool";
  /** Its name. */
  tool: string;
}

/** Ask a person first, then call the tool. */
export interface ApproveCallDecision {
  /** Tells it from the others. */
  do: "approve";
  /** Its name. */
  tool: string;
}

/** Let another agent answer, inside this run. */
export interface AgentCallDecision {
  /** Tells it from the others. */
  do: "agent";
  /** Its name. */
  agent: string;
  /** What it is asked. */
  input: Address;
}

/** Let another agent answer, in a run of its own. */
export interface ChildRunCallDecision {
  /** Tells it from the others. */
  do: "child_run";
  /** Its name. */
  agent: string;
  /** What it is asked. */
  input: Address;
}

/** Hand the conversation over once the other calls are done. */
export interface HandOverCallDecision {
  /** Tells it from the others. */
  do: "hand_over";
  /** To whom. */
  agent: string;
  /** What the model is told. */
  result: Address;
}

/** Not performed: the model is told why. */
export interface RejectCallDecision {
  /** Tells it from the others. */
  do: "reject";
  /**
   * `unknown_tool`, `arguments_not_json`, `arguments_invalid`, `too_many_calls`, `too_deep`,
   * `second_handoff`, `answer_cut_off`.
   */
  code: string;
  /** What the model is told. */
  result: Address;
}

/** What becomes of a call that a model asked for. */
export type CallDecision =
  | ToolCallDecision
  | ApproveCallDecision
  | AgentCallDecision
  | ChildRunCallDecision
  | HandOverCallDecision
  | RejectCallDecision;

/**
 * How a call went.
 *
 * - `"ok"`: It gave a result.
 * - `"error"`: It failed, and the model is told.
 * - `"denied"`: A person said no.
 * - `"cancelled"`: It was cancelled; whether it had an effect is not known.
 * - `"unknown"`: It was interrupted and is not repeated; whether it had an effect is not known.
 */
export type CallStatus = "ok" | "error" | "denied" | "cancelled" | "unknown";

/**
 * What a caller should do about an error.
 *
 * - `"input"`: Fix what was passed in.
 * - `"transient"`: Wait and try again.
 * - `"configuration"`: Change the configuration, a key, a file or a permission.
 * - `"conflict"`: Somebody else has moved on (a stale writer, a busy session): look again, then decide.
 * - `"cancelled"`: Stopped on request.
 * - `"internal"`: A defect: report it.
 */
export type Category = "input" | "transient" | "configuration" | "conflict" | "cancelled" | "internal";

/** Where a model says that it has something from. */
export interface Citation {
  /** The provider's own form of it, with the places that it means. */
  opaque?: Opaque;
  /** The words there. */
  quote?: string;
  /** Its title. */
  title?: string;
  /** The page or document. */
  url?: string;
}

/** A tool that is a program: one JSON value on standard input, one on standard output. */
export interface CommandSpec {
  /** The program and its arguments; no shell is involved. */
  argv: string[];
  /** Names of environment variables that the program may see, besides `PATH`. */
  env?: string[];
  /** Bytes of output after which the program is stopped. Default: 1 MiB. */
  max_output_bytes?: number;
}

/** A program as a tool, with what the model is told of it. */
export interface CommandTool {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`. */
  name: string;
  /** The program and its arguments; no shell is involved. */
  argv: string[];
  /** Whether a person is asked first. */
  approval?: Approval;
  /** What the model reads to know when to use it. */
  description?: string;
  /** What repeating a call means; default: it must not run twice. */
  effect?: Effect;
  /** Names of environment variables that it may see, besides `PATH`. */
  env?: string[];
  /** Bytes of output after which it is stopped; default 1 MiB. */
  max_output_bytes?: number;
  /** JSON Schema of its input; default: an object without properties. */
  parameters?: unknown;
  /** Wall time of one call, in milliseconds; default 60 seconds. */
  timeout_ms?: number;
}

/**
 * The part of nfa that reports an error.
 *
 * - `"engine"`: The decider: journals, commands, inputs.
 * - `"runtime"`: The driver and what surrounds a run.
 * - `"spec"`: An agent or program as written by a developer.
 * - `"model"`: A model adapter or its provider.
 * - `"tool"`: A tool, or its authority.
 * - `"guardrail"`: A guardrail.
 * - `"store"`: A store, its files and keys.
 * - `"proof"`: The proof log.
 * - `"cli"`: The command line.
 */
export type Component = "engine" | "runtime" | "spec" | "model" | "tool" | "guardrail" | "store" | "proof" | "cli";

/** A proof that the first leaves of a log are still what they were. */
export interface ConsistencyProof {
  /** The name that the log's checkpoints carry. */
  origin: string;
  /** The older size. */
  from: number;
  /** The root at the older size, in base64. */
  from_root: string;
  /** The newer size. */
  to: number;
  /** The root at the newer size, in base64. */
  to_root: string;
  /** The proof, as RFC 6962 has it, each hash in base64. */
  proof: string[];
}

/** A message of a user, or feedback to the model. */
export interface MessageContent extends Message {
  /** Tells it from the others. */
  content: "message";
}

/** A model's answer. */
export interface AnswerContent extends ModelAnswer {
  /** Tells it from the others. */
  content: "answer";
}

/** What a tool gave, without the call that it answers: the journal knows that. */
export interface ToolOutputContent {
  /** Tells it from the others. */
  content: "tool_output";
  /** What the model is told. */
  text: string;
  /** Whether it tells of a failure. */
  is_error?: boolean;
}

/** Words of a person: an answer, a reason. */
export interface TextContent {
  /** Tells it from the others. */
  content: "text";
  /** The words. */
  text: string;
}

/** Any other JSON. */
export interface JsonContent {
  /** Tells it from the others. */
  content: "json";
  /** The value. */
  value: unknown;
}

/** What a blob holds. */
export type Content =
  | MessageContent
  | AnswerContent
  | ToolOutputContent
  | TextContent
  | JsonContent;

/**
 * What repeating a call means (law L4).
 *
 * - `"pure"`: Touches nothing: may run any number of times, without a durable intent.
 * - `"idempotent"`: Running it twice is the same as running it once.
 * - `"keyed"`: Receives a stable idempotency key, with which the other side recognises a repetition.
 * - `"transactional"`: Its writes join the store's own transaction; refused at build where the store can't.
 * - `"at_most_once"`: Must not run twice: an interrupted call is reconciled by the tool or decided by a person.
 */
export type Effect = "pure" | "idempotent" | "keyed" | "transactional" | "at_most_once";

/** What every {@link Entry} has. */
export interface EntryBase {
  /** The schema version. */
  v: number;
  /** Its number, from 0. */
  seq: number;
  /** When it was decided. */
  at: Timestamp;
  /** The lease epoch of its writer. */
  epoch: number;
}

/** The run was admitted. */
export interface RunStartedEntry extends EntryBase {
  /** Tells it from the others. */
  type: "run_started";
  /** How its entries are folded. */
  fold: number;
  /** Its id. */
  run: RunId;
  /** Its program. */
  program: ProgramHash;
  /** The user's message. */
  input: Address;
  /** How deep it is nested in other runs. */
  depth?: number;
  /** How many items of the session the run began with. */
  history?: number;
  /** The user that it acts for. */
  user?: Address;
}

/** A step is about to touch the world: the intent, durable before the effect (law L3). */
export interface StepStartedEntry extends EntryBase {
  /** Tells it from the others. */
  type: "step_started";
  /** The step. */
  step: StepPath;
  /** Which try, from 1. */
  attempt: number;
  /** What it is. */
  kind: StepKind;
}

/** A started step was certainly not performed, and is owed again. */
export interface StepReleasedEntry extends EntryBase {
  /** Tells it from the others. */
  type: "step_released";
  /** The step. */
  step: StepPath;
}

/** A model answered. */
export interface ModelFinishedEntry extends EntryBase {
  /** Tells it from the others. */
  type: "model_finished";
  /** The step. */
  step: StepPath;
  /** The answer. */
  answer: Address;
  /** Why it stopped. */
  finish: FinishReason;
  /** What it cost. */
  usage: Usage;
  /** What becomes of each call, in call order. */
  calls?: CallDecision[];
  /** Set when the answer does not match the output schema: what the model is told. */
  rejected?: Address;
}

/** A model call ended without an answer. */
export interface ModelFailedEntry extends EntryBase {
  /** Tells it from the others. */
  type: "model_failed";
  /** The step. */
  step: StepPath;
  /** Why. */
  error: ErrorFact;
  /** The text that had surfaced. */
  partial?: Address;
}

/** A call of a tool, sub-agent or child run has its result. */
export interface CallFinishedEntry extends EntryBase {
  /** Tells it from the others. */
  type: "call_finished";
  /** The step. */
  step: StepPath;
  /** How it went. */
  status: CallStatus;
  /** What the model is told. */
  result: Address;
}

/** A tool failed in a way that stops the run. */
export interface CallFailedEntry extends EntryBase {
  /** Tells it from the others. */
  type: "call_failed";
  /** The step. */
  step: StepPath;
  /** Why. */
  error: ErrorFact;
}

/** A person is asked. */
export interface AskedEntry extends EntryBase {
  /** Tells it from the others. */
  type: "asked";
  /** The step that waits. */
  step: StepPath;
  /** What for. */
  question: Question;
}

/** A person answered. */
export interface AnsweredEntry extends EntryBase {
  /** Tells it from the others. */
  type: "answered";
  /** The step that waited. */
  step: StepPath;
  /** What they said. */
  answer: AnswerKind;
  /** Who says so, as content. */
  by?: Address;
  /** Their words. */
  words?: Address;
}

/** The conversation goes on with another agent. */
export interface HandedOverEntry extends EntryBase {
  /** Tells it from the others. */
  type: "handed_over";
  /** The frame. */
  frame: StepPath;
  /** The agent that takes over. */
  to: string;
}

/** Somebody cancelled the run. */
export interface CancelRequestedEntry extends EntryBase {
  /** Tells it from the others. */
  type: "cancel_requested";
  /** Their words. */
  reason?: Address;
}

/** The run stopped. */
export interface RunFinishedEntry extends EntryBase {
  /** Tells it from the others. */
  type: "run_finished";
  /** How. */
  end: RunEnd;
  /** The final answer. */
  output?: Address;
}

/** A stopped run goes on. */
export interface RunResumedEntry extends EntryBase {
  /** Tells it from the others. */
  type: "run_resumed";
  /** Limits that replace the program's from here on. */
  limits?: Limits;
}

/** A durable fact in a run's journal. */
export type Entry =
  | RunStartedEntry
  | StepStartedEntry
  | StepReleasedEntry
  | ModelFinishedEntry
  | ModelFailedEntry
  | CallFinishedEntry
  | CallFailedEntry
  | AskedEntry
  | AnsweredEntry
  | HandedOverEntry
  | CancelRequestedEntry
  | RunFinishedEntry
  | RunResumedEntry;

/** What was erased. */
export interface Erased {
  /** How many runs lost content. */
  runs: number;
  /** How many keys were destroyed. */
  keys: number;
  /** How many pieces of content and openings were removed. */
  blobs: number;
  /** Fields for which content of the erased field was kept. */
  kept_for: KeptField[];
}

/** An error as a fact: without its text, which may repeat what somebody said. */
export interface ErrorFact {
  /** The reporting part. */
  component: Component;
  /** What to do about it. */
  category: Category;
  /** The stable code. */
  code: string;
  /** The whole report, as content. */
  report?: Address;
  /** Whether the same call may succeed later. */
  retryable?: boolean;
}

/** An error as a durable or transmitted fact: everything but its source. */
export interface ErrorReport {
  /** The reporting part. */
  component: Component;
  /** What to do about it. */
  category: Category;
  /** The stable code. */
  code: string;
  /** The text for people. */
  message: string;
  /** Whether the same call may succeed later. */
  retryable: boolean;
  /** Machine-readable details. */
  details?: unknown;
}

/** More text of the agent. */
export interface TextDeltaEvent {
  /** Tells it from the others. */
  type: "text_delta";
  /** The step. */
  step: StepPath;
  /** Which try of that step. */
  attempt: number;
  /** The text. */
  text: string;
}

/** More of what the model thinks. */
export interface ReasoningDeltaEvent {
  /** Tells it from the others. */
  type: "reasoning_delta";
  /** The step. */
  step: StepPath;
  /** Which try of that step. */
  attempt: number;
  /** The text. */
  text: string;
}

/** The model begins to write a call. */
export interface ToolCallDeltaEvent {
  /** Tells it from the others. */
  type: "tool_call_delta";
  /** The model's step. */
  step: StepPath;
  /** Which try of that step. */
  attempt: number;
  /** The call's place in the answer, from 0. */
  index: number;
  /** The next piece of the arguments' JSON text. */
  arguments?: string;
  /** The tool's name, in the first delta of a call. */
  name?: string;
}

/** Every delta of this try is void; another try follows, or an error. */
export interface RetractedEvent {
  /** Tells it from the others. */
  type: "retracted";
  /** The step. */
  step: StepPath;
  /** The try whose deltas are void. */
  attempt: number;
  /** Why. */
  reason: string;
}

/** A call is about to run. */
export interface ToolStartedEvent {
  /** Tells it from the others. */
  type: "tool_started";
  /** The step. */
  step: StepPath;
  /** Which try of that step. */
  attempt: number;
  /** The tool. */
  tool: string;
  /** The arguments, as JSON text. */
  arguments: string;
}

/** A call has its result. */
export interface ToolFinishedEvent {
  /** Tells it from the others. */
  type: "tool_finished";
  /** The step. */
  step: StepPath;
  /** How it went. */
  status: CallStatus;
  /** What the model is told. */
  text: string;
}

/** The run waits for a person. */
export interface AskedEvent {
  /** Tells it from the others. */
  type: "asked";
  /** The step that waits. */
  step: StepPath;
  /** What for. */
  question: Question;
  /** The tool. */
  tool: string;
  /** The arguments, as JSON text. */
  arguments: string;
}

/** A durable fact. */
export interface EntryEvent {
  /** Tells it from the others. */
  type: "entry";
  /** The entry. */
  entry: Entry;
}

/** The run stopped, or waits and has left memory. Nothing follows. */
export interface FinishedEvent {
  /** Tells it from the others. */
  type: "finished";
  /** How. */
  outcome: OutcomeSummary;
}

/** One event of a run. */
export type Event =
  | TextDeltaEvent
  | ReasoningDeltaEvent
  | ToolCallDeltaEvent
  | RetractedEvent
  | ToolStartedEvent
  | ToolFinishedEvent
  | AskedEvent
  | EntryEvent
  | FinishedEvent;

/**
 * Why a model stopped.
 *
 * - `"stop"`: It had said all.
 * - `"tool_calls"`: It asks for tools.
 * - `"length"`: The output limit cut it off.
 * - `"content_filter"`: The provider withheld content.
 * - `"refusal"`: It declined.
 * - `"other"`: Anything else that the provider said.
 */
export type FinishReason = "stop" | "tool_calls" | "length" | "content_filter" | "refusal" | "other";

/** Which earlier turns of a session are sent. */
export interface HistoryPolicy {
  /** The latest so many runs of the session; all when absent, none when 0. */
  runs?: number;
}

/** A field of a leaf whose content was kept. */
export interface KeptField {
  /** The run. */
  run: RunId;
  /** The entry that the leaf is of. */
  entry: number;
  /** The number of the field. */
  field: number;
}

/** One leaf of a receipt. */
export interface LeafReceipt {
  /** The log. */
  log: LogId;
  /** The entry that it is a projection of. */
  entry: number;
  /** Where it stands. */
  state: ReceiptState;
  /** Its index, once it has one. */
  index?: number;
}

/**
 * A limit that can stop a run.
 *
 * - `"turns"`: Model calls.
 * - `"tokens"`: Tokens.
 * - `"cost"`: Money.
 * - `"wall_time"`: Wall time.
 * - `"output_tokens"`: The length of one answer.
 */
export type Limit = "turns" | "tokens" | "cost" | "wall_time" | "output_tokens";

/** Where a run stops; each limit is an outcome, not an error. */
export interface Limits {
  /** Model calls of one run, sub-agents included. */
  turns: number;
  /** Tool calls that one answer may hold. */
  parallel_calls: number;
  /** Agents inside agents. */
  depth: number;
  /** Times that an answer which does not match the output schema goes back to the model. */
  output_retries: number;
  /** Cost of one run, in millionths of a US dollar, where prices are known. */
  cost_micro_usd?: number;
  /** Tokens read and written by one run. */
  tokens?: number;
  /** Time from the start (or the last resume) to the end of a run, in milliseconds. */
  wall_time_ms?: number;
}

/** Where a run stops; each limit is an outcome, not an error. */
export interface LimitsInput {
  /** Cost of one run, in millionths of a US dollar, where prices are known. */
  cost_micro_usd?: number;
  /** Agents inside agents. */
  depth?: number;
  /** Times that an answer which does not match the output schema goes back to the model. */
  output_retries?: number;
  /** Tool calls that one answer may hold. */
  parallel_calls?: number;
  /** Tokens read and written by one run. */
  tokens?: number;
  /** Model calls of one run, sub-agents included. */
  turns?: number;
  /** Time from the start (or the last resume) to the end of a run, in milliseconds. */
  wall_time_ms?: number;
}

/** What a recomputation of a whole log found. */
export interface LogCheck {
  /** The name that its checkpoints carry. */
  origin: string;
  /** How many leaves it has. */
  size: number;
  /** How many of them were recomputed: all, unless something is wrong. */
  checked: number;
  /** The root over those, in base64. */
  root: string;
  /** Whether nothing is wrong. */
  holds: boolean;
  /** The first thing that is wrong. */
  damage: LogDamage | null;
}

/** The first thing that is wrong with a log. */
export interface LogDamage {
  /** The stable code. */
  code: string;
  /** Its index on that level; of a root, how many leaves are below it. */
  index: number;
  /** What was expected, and what was found. */
  message: string;
  /** The level of the node that is wrong, with the leaves at 0; of a leaf, node or nothing in particular. */
  level?: number;
}

/** What an export of a log wrote into a folder. */
export interface LogExport {
  /** The name that the log's checkpoints carry. */
  origin: string;
  /** The key that signs them, as a C2SP verifier key. */
  verifier_key: string;
  /** The log's first key: whoever has it can audit the export, whatever keys came after it. */
  first_key: string;
  /** How many leaves the export had before. */
  before: number;
  /** How many it has now. */
  size: number;
  /** How many files were written. */
  files_written: number;
}

/** The proof log of one agent: 16 random bytes that stand for the agent in leaves. */
export type LogId = string;

/** A log, for people who want to check it. */
export interface LogInfo {
  /** The log. */
  log: LogId;
  /** The name that its checkpoints carry. */
  origin: string;
  /** The key that signs them, as a C2SP verifier key. */
  verifier_key: string;
  /** Leaves that have an index. */
  size: number;
  /** The newest signed checkpoint. */
  checkpoint: string | null;
  /** How many of its leaves this process has recomputed and found whole; none before it came to it. */
  checked?: number;
}

/** A key of a log, for people who want to check it. */
export interface LogKey {
  /** The key, as a C2SP verifier key. */
  verifier_key: string;
  /** The size from which it no longer counts. */
  cut_off?: number;
  /** The index of the leaf that names it: none for the first key, nor while the leaf waits for its index. */
  named_at?: number;
}

/** What of a session the model sees. */
export interface MemoryPolicy {
  /** Which earlier messages of the session are sent. */
  history?: HistoryPolicy;
}

/** One message of a conversation. */
export interface Message {
  /** Who says it. */
  role: Role;
  /** What is said, in order. */
  parts: Part[];
}

/** What a model of the host can do, as data; what is left out is as in `Capabilities::default`. */
export interface ModelAbilities {
  /** Whether it can be given audio. */
  audio?: boolean;
  /** Tokens that request and answer may have together. */
  context_tokens?: number;
  /** Whether it can be given other files. */
  files?: boolean;
  /** Whether it can be shown images. */
  images?: boolean;
  /** Whether it holds to an output schema by itself. */
  structured_output?: boolean;
  /** How it is made to call tools. */
  tool_calling?: ToolCalling;
  /** Whether it can call tools at all. */
  tools?: boolean;
  /** Whether it can be shown video. */
  video?: boolean;
}

/** A whole answer of a model. */
export interface ModelAnswer {
  /** The assistant's message. */
  message: Message;
  /** Why it stopped. */
  finish: FinishReason;
  /** What it cost. */
  usage: Usage;
  /** The model that answered, as the provider names it. */
  model?: string;
  /** The provider's id of the answer. */
  response_id?: string;
}

/** A whole answer of a model. */
export interface ModelAnswerInput {
  /** The assistant's message. */
  message: Message;
  /** Why it stopped. */
  finish: FinishReason;
  /** The model that answered, as the provider names it. */
  model?: string;
  /** The provider's id of the answer. */
  response_id?: string;
  /** What it cost. */
  usage?: UsageInput;
}

/** More text. */
export interface TextModelDelta {
  /** Tells it from the others. */
  type: "text";
  /** The text. */
  text: string;
}

/** More of what it thinks. */
export interface ReasoningModelDelta {
  /** Tells it from the others. */
  type: "reasoning";
  /** The text. */
  text: string;
}

/** More of a refusal. */
export interface RefusalModelDelta {
  /** Tells it from the others. */
  type: "refusal";
  /** The text. */
  text: string;
}

/** A call begins. */
export interface ToolCallStartedModelDelta {
  /** Tells it from the others. */
  type: "tool_call_started";
  /** Its place among the calls of this answer, from 0. */
  index: number;
  /** The tool's name. */
  name: string;
}

/** More of a call's arguments. */
export interface ToolCallArgumentsModelDelta {
  /** Tells it from the others. */
  type: "tool_call_arguments";
  /** Its place among the calls of this answer, from 0. */
  index: number;
  /** The next piece of the JSON text. */
  json: string;
}

/** Everything so far is void: the model begins again. */
export interface RetractedModelDelta {
  /** Tells it from the others. */
  type: "retracted";
  /** Why. */
  reason: string;
}

/** What `generate` of a model of the host gives while the answer is under way. */
export type ModelDelta =
  | TextModelDelta
  | ReasoningModelDelta
  | RefusalModelDelta
  | ToolCallStartedModelDelta
  | ToolCallArgumentsModelDelta
  | RetractedModelDelta;

/** Which model an agent uses, and how. */
export interface ModelOptions {
  /** `provider/model`, such as `openai/gpt-5-mini`. */
  name: string;
  /** The environment variable that holds the key; never the key itself. */
  api_key_env?: string;
  /** Where the provider is, when it is not its usual place. */
  base_url?: string;
  /** Models that are asked in turn when this one cannot answer. */
  fallback?: ModelSpec[];
  /** More headers of every request; never a secret, since the spec is stored. */
  headers?: Record<string, string>;
  /** Sampling and size. */
  settings?: ModelSettings;
  /** `native` or `constrained`; decided by the provider's capabilities when absent. */
  tool_calling?: string;
  /**
   * The provider's protocol, where it speaks several: `chat_completions`, `responses`, `messages` or
   * `generate_content`.
   */
  wire?: string;
}

/** What `generate` of a model of the host is given. */
export interface ModelRequest {
  /** The conversation, oldest first. Every tool call in it has exactly one result. */
  messages: Message[];
  /** What the model may call. */
  tools: ToolDefinition[];
  /** JSON Schema that the final answer should match. */
  output_schema: unknown;
  /** Sampling and size. */
  settings: ModelSettings;
  /** Whether somebody listens while it speaks. */
  deltas: boolean;
}

/** Sampling and size of an answer; what is absent is the provider's default. */
export interface ModelSettings {
  /** Fields of the provider's request that we don't name, sent as they are. */
  extra?: Record<string, unknown>;
  /** Tokens that one answer may have. */
  max_output_tokens?: number;
  /** Whether one answer may hold several calls. */
  parallel_tool_calls?: boolean;
  /** How long the provider is to keep the beginning of the conversation in its cache, where it asks. */
  prompt_cache?: PromptCache;
  /** How long the model may think before it answers. */
  reasoning_effort?: ReasoningEffort;
  /** Seed, where the provider takes one. */
  seed?: number;
  /** Texts at which the model stops. */
  stop?: string[];
  /** Randomness, 0 to 2. */
  temperature?: number;
  /** Nucleus sampling, 0 to 1. */
  top_p?: number;
}

/** Which model an agent uses, and how. */
export type ModelSpec = string | ModelOptions;

/** Something of a provider that nobody else reads, kept so that it can be sent back unchanged. */
export interface Opaque {
  /** Which provider it belongs to; no other is sent it. */
  provider: string;
  /** The provider's JSON. */
  value: unknown;
}

/**
 * How a run ended, for callers.
 *
 * - `"completed"`: With an answer.
 * - `"failed"`: With an error; `resume` goes on from where it failed.
 * - `"cancelled"`: On request; `resume` goes on.
 * - `"limit_reached"`: At a limit; `resume` with a higher one goes on.
 * - `"waiting"`: A person is asked; signal an answer, then `resume`.
 * - `"interrupted"`: The process is stopping; `resume` goes on.
 */
export type OutcomeStatus = "completed" | "failed" | "cancelled" | "limit_reached" | "waiting" | "interrupted";

/** An outcome as data. */
export interface OutcomeSummary {
  /** The run. */
  run: RunId;
  /** How it ended. */
  status: OutcomeStatus;
  /** The final text; of an unfinished run, the latest that the agent said. */
  text: string;
  /** What it cost. */
  usage: Usage;
  /** Why it failed. */
  error?: ErrorReport;
  /** The limit that stopped it. */
  limit?: Limit;
  /** The final answer as JSON, where the agent has an output schema. */
  output?: unknown;
}

/** Plain text. */
export interface TextPart {
  /** Tells it from the others. */
  type: "text";
  /** The text. */
  text: string;
  /** Where the model says that it has it from. */
  citations?: Citation[];
  /** What the provider wants back with it, such as a signature. */
  opaque?: Opaque;
}

/** What a model thought before it spoke. */
export interface ReasoningPart {
  /** Tells it from the others. */
  type: "reasoning";
  /** The readable part; may be empty when the provider keeps it to itself. */
  text: string;
  /** What the provider wants back with it, such as a signature or encrypted reasoning. */
  opaque?: Opaque;
}

/** A call that the model asks for. */
export interface ToolCallPart extends ToolCall {
  /** Tells it from the others. */
  type: "tool_call";
}

/** What a call gave. */
export interface ToolResultPart extends ToolResult {
  /** Tells it from the others. */
  type: "tool_result";
}

/** The model declines. */
export interface RefusalPart {
  /** Tells it from the others. */
  type: "refusal";
  /** Its words. */
  text: string;
}

/** An image, sound or file. */
export interface MediaPart {
  /** Tells it from the others. */
  type: "media";
  /** IANA media type, such as `image/png`. */
  media_type: string;
  /** An `https:` or `data:` URL. */
  url: string;
  /** The name of the file. */
  name?: string;
  /** What the provider wants back with it. */
  opaque?: Opaque;
}

/** An item of a provider that we don't read. */
export interface OpaquePart extends Opaque {
  /** Tells it from the others. */
  type: "opaque";
}

/** A part of a message. */
export type Part =
  | TextPart
  | ReasoningPart
  | ToolCallPart
  | ToolResultPart
  | RefusalPart
  | MediaPart
  | OpaquePart;

/** The content address of a validated program: BLAKE3 of its canonical JSON. */
export type ProgramHash = string;

/**
 * How long a provider keeps the beginning of a conversation in its cache.
 *
 * - `"short"`: Some minutes.
 * - `"long"`: An hour or more, for a higher price.
 */
export type PromptCache = "short" | "long";

/**
 * What a person is asked.
 *
 * - `"approval"`: May this call run?
 * - `"interrupted"`: A call that must not run twice was interrupted: run it again (approve), give its result (answer), or leave it (deny)?
 */
export type Question = "approval" | "interrupted";

/**
 * How much a model thinks before it answers. Each provider has its own name or number for it.
 *
 * - `"none"`: Not at all.
 * - `"minimal"`: As little as it can.
 * - `"low"`: Little.
 * - `"medium"`: As the provider finds usual.
 * - `"high"`: Much.
 */
export type ReasoningEffort = "none" | "minimal" | "low" | "medium" | "high";

/** Where the leaves of a run stand in the proof log. */
export interface Receipt {
  /** The run. */
  run: RunId | null;
  /** The least of its leaves' states. */
  state: ReceiptState;
  /** Its leaves, in the order of their entries. */
  leaves: LeafReceipt[];
}

/**
 * Where a leaf stands. Later states include the earlier ones.
 *
 * - `"none"`: Nothing was to be recorded, or proof is off.
 * - `"recorded"`: Durable with its entry.
 * - `"sequenced"`: It has its index.
 * - `"checkpointed"`: A signed checkpoint covers it.
 * - `"anchored"`: An anchor keeps a checkpoint that covers it.
 */
export type ReceiptState = "none" | "recorded" | "sequenced" | "checkpointed" | "anchored";

/**
 * Who says a message.
 *
 * - `"system"`: Instructions of the developer.
 * - `"user"`: The person, or the program that stands for one.
 * - `"assistant"`: The model.
 * - `"tool"`: Results of tool calls.
 */
export type Role = "system" | "user" | "assistant" | "tool";

/** With an answer. */
export interface CompletedRunEnd {
  /** Tells it from the others. */
  how: "completed";
}

/** With an error; it can be resumed. */
export interface FailedRunEnd {
  /** Tells it from the others. */
  how: "failed";
  /** Which. */
  error: ErrorFact;
}

/** On request. */
export interface CancelledRunEnd {
  /** Tells it from the others. */
  how: "cancelled";
}

/** At a limit; it can be resumed with a higher one. */
export interface LimitReachedRunEnd {
  /** Tells it from the others. */
  how: "limit_reached";
  /** Which. */
  limit: Limit;
}

/** How a run stopped. */
export type RunEnd =
  | CompletedRunEnd
  | FailedRunEnd
  | CancelledRunEnd
  | LimitReachedRunEnd;

/** Which runs to list. */
export interface RunFilter {
  /** At most so many; the store's default is 100. */
  limit?: number;
  /** Only of this session. */
  session?: SessionId;
  /** Only these statuses; all when empty. */
  statuses?: RunStatus[];
  /** Only runs that nobody holds a lease of. */
  unowned?: boolean;
}

/** One execution of a program: 16 random bytes, written as 32 hexadecimal digits. */
export type RunId = string;

/** One run as the store lists it. */
export interface RunRecord {
  /** Its id. */
  run: RunId;
  /** The program that it runs. */
  program: ProgramHash;
  /** Its first agent. */
  agent: string;
  /** The session that it speaks in. */
  session: SessionId | null;
  /** Whose content it holds. */
  subject: Subject;
  /** The run and step that started it, for a child. */
  parent: unknown[] | null;
  /** Where it stands. */
  status: RunStatus;
  /** The number of its entries. */
  length: number;
  /** The newest lease epoch. */
  epoch: number;
  /** Who holds a lease that has not expired. */
  owner: string | null;
  /** When it was admitted. */
  created: Timestamp;
  /** When its newest batch was made. */
  updated: Timestamp;
}

/**
 * Where a run stands.
 *
 * - `"running"`: Something is owed to it.
 * - `"waiting"`: Only people or timers can move it.
 * - `"completed"`: It answered.
 * - `"failed"`: It failed; it can be resumed.
 * - `"cancelled"`: It was cancelled.
 * - `"limit_reached"`: A limit stopped it; it can be resumed.
 */
export type RunStatus = "running" | "waiting" | "completed" | "failed" | "cancelled" | "limit_reached";

/** A conversation, named by the caller. */
export type SessionId = string;

/**
 * What became of a signal.
 *
 * - `"delivered"`: The run is being driven, here or elsewhere, and takes it in.
 * - `"waiting"`: It waits in the inbox; nobody drives the run: resume it.
 * - `"stopped"`: The run has stopped, and takes nothing in.
 */
export type SignalSent = "delivered" | "waiting" | "stopped";

/**
 * What a step is.
 *
 * - `"model"`: A model turn.
 * - `"tool"`: A tool call.
 * - `"reconcile"`: Asking a tool what became of an interrupted call.
 * - `"child_run"`: A run of its own.
 */
export type StepKind = "model" | "tool" | "reconcile" | "child_run";

/** Where a step is: numbers with dots between them. `2.1` is the first step inside step 2. */
export type StepPath = string;

/** Whose content something is: the unit of encryption and erasure. */
export type Subject = string;

/** Milliseconds since the Unix epoch, UTC. */
export type Timestamp = number;

/** A call of a tool, as a model made it. */
export interface ToolCall {
  /** The provider's id of this call, unique within its answer. */
  id: string;
  /** The name that the model used; it may be of no tool at all. */
  name: string;
  /** The arguments exactly as the model wrote them: meant to be a JSON object, not yet checked. */
  arguments: string;
  /** What the provider wants back with it, such as a signature. */
  opaque?: Opaque;
}

/**
 * How a model is made to call tools.
 *
 * - `"native"`: Through the provider's own `tools`.
 * - `"constrained"`: Through a JSON Schema on the answer: one of these calls, or an answer.
 */
export type ToolCalling = "native" | "constrained";

/** What a model is told of something that it may call. */
export interface ToolDefinition {
  /** The name to call it by. */
  name: string;
  /** When to use it. */
  description: string;
  /** JSON Schema of its arguments. */
  parameters: unknown;
}

/** One entry of an agent's `tools`. */
export type ToolRef = string | CommandTool | AgentTool;

/** The result of a call, as the model reads it. */
export interface ToolResult {
  /** The id of the call that it answers. */
  call_id: string;
  /** The name of the tool. */
  name: string;
  /** What the model is told. */
  text: string;
  /** Whether it tells of a failure. */
  is_error?: boolean;
}

/** What is known of a tool without running it. */
export interface ToolSpec {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`. */
  name: string;
  /** JSON Schema (2020-12) of the arguments, an object. */
  parameters: unknown;
  /** Whether a person is asked first. */
  approval?: Approval;
  /** Set for a tool that is a program; otherwise the process must have a tool of this name registered. */
  command?: CommandSpec;
  /** What the model reads to know when to use it. */
  description?: string;
  /** What repeating a call means. */
  effect?: Effect;
  /** Free labels of the developer, part of the program's hash. */
  labels?: Record<string, string>;
  /** Wall time of one call, in milliseconds. */
  timeout_ms?: number;
}

/** Tokens and money of one or more model calls. */
export interface Usage {
  /** Tokens read, cached ones included. */
  input_tokens: number;
  /** Tokens written, reasoning included. */
  output_tokens: number;
  /** Of the tokens read, those that the provider put into its cache. */
  cache_write_tokens?: number;
  /** Of the tokens read, those that came from the provider's cache. */
  cached_tokens?: number;
  /** Cost in millionths of a US dollar, where prices are known. */
  cost_micro_usd?: number;
  /** Of the tokens written, those spent on reasoning. */
  reasoning_tokens?: number;
}

/** Tokens and money of one or more model calls. */
export interface UsageInput {
  /** Of the tokens read, those that the provider put into its cache. */
  cache_write_tokens?: number;
  /** Of the tokens read, those that came from the provider's cache. */
  cached_tokens?: number;
  /** Cost in millionths of a US dollar, where prices are known. */
  cost_micro_usd?: number;
  /** Tokens read, cached ones included. */
  input_tokens?: number;
  /** Tokens written, reasoning included. */
  output_tokens?: number;
  /** Of the tokens written, those spent on reasoning. */
  reasoning_tokens?: number;
}

/** The code of an error. */
export type ErrorCode =
  | "agent_file_invalid"
  | "agent_file_syntax"
  | "agent_file_unreadable"
  | "agent_invalid"
  | "agent_paused"
  | "agent_terminated"
  | "anchor_answers"
  | "anchor_conflict"
  | "anchor_empty"
  | "anchor_malformed"
  | "anchor_mismatch"
  | "anchor_timeout"
  | "anchor_unreachable"
  | "arguments_not_json"
  | "batch_malformed"
  | "binding_failed"
  | "bundle_digest"
  | "bundle_format"
  | "bundle_json"
  | "bundle_limits"
  | "bundle_not_canonical"
  | "bundle_order"
  | "bundle_too_large"
  | "bundle_unreadable"
  | "bundle_version"
  | "call_cancelled"
  | "cancelled"
  | "checkpoint_conflict"
  | "checkpoint_malformed"
  | "checkpoint_missing"
  | "checkpoint_rollback"
  | "checkpoint_unreadable"
  | "checkpoints_malformed"
  | "close_failed"
  | "command_failed"
  | "command_not_executable"
  | "command_not_found"
  | "command_not_started"
  | "commitment_mismatch"
  | "consistency_mismatch"
  | "consistency_proof_length"
  | "consistency_sizes"
  | "content_erased"
  | "content_not_json"
  | "content_unknown"
  | "context_mismatch"
  | "context_not_disclosed"
  | "driver_gone"
  | "driver_panicked"
  | "duplicate_name"
  | "embedding_text_empty"
  | "engine_not_started"
  | "engine_panicked"
  | "entries_malformed"
  | "entries_missing"
  | "entropy_unavailable"
  | "entry_too_large"
  | "envelope_corrupt"
  | "envelope_malformed"
  | "erasure_busy"
  | "erasure_unsupported"
  | "export_failed"
  | "field_erased_and_disclosed"
  | "field_unknown"
  | "file_not_written"
  | "forked"
  | "handle_closed"
  | "hasher_mismatch"
  | "host_closed"
  | "host_failed"
  | "host_missing"
  | "host_value_malformed"
  | "http_connection_lost"
  | "http_redirect_refused"
  | "http_response_invalid"
  | "http_response_too_large"
  | "http_status"
  | "http_timeout"
  | "http_tls"
  | "http_unreachable"
  | "http_url_invalid"
  | "inclusion_mismatch"
  | "inclusion_proof_length"
  | "index_order"
  | "index_out_of_range"
  | "input_malformed"
  | "input_unreadable"
  | "invalid_address"
  | "invalid_idempotency_key"
  | "invalid_log_id"
  | "invalid_program_hash"
  | "invalid_run_id"
  | "invalid_step_path"
  | "journal_malformed"
  | "key_event_hidden"
  | "key_event_invalid"
  | "key_malformed"
  | "keys_exposed"
  | "keys_malformed"
  | "keys_missing"
  | "leaf_algorithm"
  | "leaf_domain"
  | "leaf_duplicate"
  | "leaf_encoding"
  | "leaf_fields"
  | "leaf_kind"
  | "leaf_version"
  | "lease_held"
  | "lease_lapsed"
  | "log_corrupt"
  | "log_damaged"
  | "log_key_cut_off"
  | "log_key_foreign"
  | "log_key_missing"
  | "log_key_newest"
  | "log_key_unknown"
  | "log_rolled_back"
  | "log_signature_missing"
  | "log_unknown"
  | "log_unreadable"
  | "model_auth"
  | "model_cancelled"
  | "model_circuit_open"
  | "model_connection_lost"
  | "model_context_length"
  | "model_deadline_exceeded"
  | "model_fallbacks_exhausted"
  | "model_key_invalid"
  | "model_key_missing"
  | "model_media_unsupported"
  | "model_not_found"
  | "model_overloaded"
  | "model_quota"
  | "model_rate_limit_wait"
  | "model_rate_limited"
  | "model_refused_connection"
  | "model_request_invalid"
  | "model_response_invalid"
  | "model_response_too_large"
  | "model_spec_invalid"
  | "model_stream_ended"
  | "model_timeout_connect"
  | "model_timeout_first_token"
  | "model_timeout_gap"
  | "model_timeout_headers"
  | "model_timeout_total"
  | "model_tls"
  | "model_unavailable"
  | "model_unknown_provider"
  | "native_binding_missing"
  | "no_anchor"
  | "no_event_loop"
  | "no_tokio_runtime"
  | "node_missing"
  | "not_checkpointed"
  | "not_registered"
  | "note_malformed"
  | "nothing_recorded"
  | "number_not_canonical"
  | "openings_malformed"
  | "operation_malformed"
  | "options_malformed"
  | "origin_mismatch"
  | "output_invalid"
  | "output_mismatch"
  | "output_missing"
  | "panicked"
  | "policy_malformed"
  | "price_table_invalid"
  | "program_invalid"
  | "program_mismatch"
  | "program_too_large"
  | "program_too_new"
  | "proof_off"
  | "recording_failed"
  | "recording_invalid"
  | "replay_unmatched"
  | "replay_unused"
  | "report_unwritable"
  | "result_not_json"
  | "root_mismatch"
  | "run_ambiguous"
  | "run_exists"
  | "run_not_finished"
  | "run_not_heard"
  | "run_not_started"
  | "run_started"
  | "run_stopped"
  | "run_unknown"
  | "runtime_closed"
  | "runtime_not_open"
  | "schema_invalid"
  | "schema_not_json"
  | "script_exhausted"
  | "seal_failed"
  | "sequence_conflict"
  | "sequence_gap"
  | "session_busy"
  | "session_moved_on"
  | "session_unknown"
  | "signals_unavailable"
  | "signature_invalid"
  | "stale_writer"
  | "step_not_asked"
  | "store_busy"
  | "store_closed"
  | "store_corrupt"
  | "store_failed"
  | "store_foreign"
  | "store_missing"
  | "store_too_new"
  | "store_url_invalid"
  | "stream_truncated"
  | "tile_malformed"
  | "tile_mismatch"
  | "tile_missing"
  | "tool_failed"
  | "tool_invalid"
  | "tool_needs_code"
  | "tool_not_transactional"
  | "tool_output_not_json"
  | "tree_size"
  | "turn_limit"
  | "unknown_agent"
  | "unknown_entry"
  | "unknown_tool"
  | "usage"
  | "user_unknown"
  | "witness_log_unknown"
  | "witness_malformed"
  | "witness_refused"
  | "witnesses_missing";
