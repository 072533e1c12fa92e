/**
 * Durable, provable agents.
 *
 * @module nfa-runtime
 */
export {
  agent,
  Agent,
  type AgentOptions,
  type AgentSpec,
  type AgentTool,
  type CommandTool,
  type DepsOf,
  type Limits,
  type OutputOf,
  type ToolLike,
} from "./agent.js";
export { ToolContext } from "./context.js";
export {
  ConfigurationError,
  ConflictError,
  type ErrorCategory,
  type ErrorComponent,
  type ErrorReport,
  InputError,
  InternalError,
  NfaError,
  type NfaErrorOptions,
  RunCancelledError,
  TransientError,
} from "./errors.js";
export type {
  Asked,
  CallStatus,
  Entry,
  EntryEvent,
  Event,
  Finished,
  Limit,
  OutcomeStatus,
  OutcomeSummary,
  Question,
  ReasoningDelta,
  Retracted,
  TextDelta,
  ToolCallDelta,
  ToolFinished,
  ToolStarted,
  UsageData,
} from "./events.js";
export type {
  HostModel,
  Message,
  ModelAbilities,
  ModelAnswer,
  ModelDelta,
  ModelRequest,
  Part,
} from "./host-model.js";
export { NativeBindingError } from "./loader.js";
export type { ModelOptions, ModelSettings, ReasoningEffort } from "./models.js";
export { type Ask, type LeafReceipt, Outcome, type Receipt, type ReceiptState, type Usage } from "./outcome.js";
export { Run } from "./run.js";
export {
  type Bundle,
  type Deciding,
  type Erasure,
  type Input,
  type LogInfo,
  type Resumed,
  type ResumeOptions,
  type RunArguments,
  type RunFilter,
  type RunOptions,
  type RunRecord,
  type RunStatus,
  Runtime,
  type RuntimeOptions,
  type SignalSent,
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
export {
  type Approval,
  type Effect,
  FatalToolError,
  type InputOf,
  type Reconciled,
  tool,
  Tool,
  ToolError,
  type ToolOptions,
  type ToolSpec,
} from "./tool.js";
