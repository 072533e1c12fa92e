/**
 * Durable, provable agents.
 *
 * @module nfa-runtime
 */
export {
  agent,
  Agent,
  type AgentAsTool,
  type AgentCode,
  type AgentOptions,
  type CommandTool,
  type DepsOf,
  type Limits,
  type OutputOf,
  type ToolLike,
} from "./agent.js";
export { ToolContext } from "./context.js";
export * from "./generated/errors.js";
/** Every shape of nfa's JSON, by the name that it has in all languages. */
export type * as data from "./generated/types.js";
export type {
  AgentSpec,
  AgentState,
  AnchorRecord,
  Approval,
  Ask,
  AskedEvent,
  BeaconData,
  CallStatus,
  Category,
  Component,
  ConsistencyProof,
  Content,
  Effect,
  Entry,
  EntryEvent,
  Erased,
  ErrorCode,
  ErrorReport,
  Event,
  FinishedEvent,
  LeafReceipt,
  Limit,
  LogCheck,
  LogExport,
  LogInfo,
  LogKey,
  Message,
  ModelAnswerInput,
  ModelDelta,
  ModelRequest,
  OutcomeStatus,
  OutcomeSummary,
  Part,
  Question,
  ReasoningDeltaEvent,
  ReasoningEffort,
  Receipt,
  ReceiptState,
  RetractedEvent,
  RunFilter,
  RunRecord,
  RunStatus,
  SignalSent,
  TextDeltaEvent,
  ToolCallDeltaEvent,
  ToolFinishedEvent,
  ToolSpec,
  ToolStartedEvent,
} from "./generated/types.js";
export type { HostModel, ModelAbilities, ModelPiece } from "./host-model.js";
export { NativeBindingError } from "./loader.js";
export type { ModelOptions, ModelSettings } from "./models.js";
export { Outcome, type Usage } from "./outcome.js";
export type {
  Anchor,
  AnchorSubmission,
  Awaitable,
  Cache,
  Durability,
  Hex,
  Keys,
  PortOptions,
  Store,
  Witness,
  WitnessAt,
} from "./ports.js";
export { Run } from "./run.js";
export {
  type Bundle,
  type Deciding,
  type Erasure,
  type Input,
  type Resumed,
  type ResumeOptions,
  type RunArguments,
  type RunOptions,
  Runtime,
  type RuntimeOptions,
  type VerifyPolicy,
} from "./runtime.js";
export type {
  InferOutput,
  JsonSchema,
  PlainSchema,
  Schema,
  SchemaIssue,
  SchemaMismatch,
  StandardSchema,
} from "./schema.js";
export { type Embedded, Embedder, EngineStore } from "./stores.js";
export { FatalToolError, type InputOf, type Reconciled, tool, Tool, ToolError, type ToolOptions } from "./tool.js";
