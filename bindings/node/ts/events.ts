/**
 * What a run tells of while it goes on.
 *
 * @module
 */
import type { ErrorReport } from "./errors.js";

/** How a run ended. */
export type OutcomeStatus = "completed" | "failed" | "cancelled" | "limit_reached" | "waiting" | "interrupted";

/** A limit that can stop a run. */
export type Limit = "turns" | "tokens" | "cost" | "wall_time" | "output_tokens";

/** How a call went. */
export type CallStatus = "ok" | "error" | "denied" | "cancelled" | "unknown";

/** What a person is asked. */
export type Question = "approval" | "interrupted";

/** Tokens and money as they stand in JSON. */
export interface UsageData {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cached_tokens?: number;
  readonly cache_write_tokens?: number;
  readonly reasoning_tokens?: number;
  readonly cost_micro_usd?: number;
}

/** A durable fact in a run's journal, as it is stored. */
export interface Entry {
  readonly v: number;
  readonly seq: number;
  readonly at: number;
  readonly epoch: number;
  readonly type: string;
  readonly [member: string]: unknown;
}

/** An outcome as data. */
export interface OutcomeSummary {
  readonly run: string;
  readonly status: OutcomeStatus;
  readonly text: string;
  readonly output?: unknown;
  readonly usage: UsageData;
  readonly error?: ErrorReport;
  readonly limit?: Limit;
}

/** More text of the agent. */
export interface TextDelta {
  readonly type: "text_delta";
  readonly step: string;
  readonly attempt: number;
  readonly text: string;
}

/** More of what the model thinks. */
export interface ReasoningDelta {
  readonly type: "reasoning_delta";
  readonly step: string;
  readonly attempt: number;
  readonly text: string;
}

/** The model writes a call. */
export interface ToolCallDelta {
  readonly type: "tool_call_delta";
  readonly step: string;
  readonly attempt: number;
  /** The call's place in the answer, from 0. */
  readonly index: number;
  /** The tool's name, in the first delta of a call. */
  readonly name?: string;
  /** The next piece of the arguments' JSON text. */
  readonly arguments?: string;
}

/** Every delta of this try is void; another try follows, or an error. */
export interface Retracted {
  readonly type: "retracted";
  readonly step: string;
  readonly attempt: number;
  readonly reason: string;
}

/** A call is about to run. */
export interface ToolStarted {
  readonly type: "tool_started";
  readonly step: string;
  readonly attempt: number;
  readonly tool: string;
  /** The arguments, as JSON text. */
  readonly arguments: string;
}

/** A call has its result. */
export interface ToolFinished {
  readonly type: "tool_finished";
  readonly step: string;
  readonly status: CallStatus;
  /** What the model is told. */
  readonly text: string;
}

/** The run waits for a person. */
export interface Asked {
  readonly type: "asked";
  readonly step: string;
  readonly question: Question;
  readonly tool: string;
  /** The arguments, as JSON text. */
  readonly arguments: string;
}

/** A durable fact. */
export interface EntryEvent {
  readonly type: "entry";
  readonly entry: Entry;
}

/** The run stopped, or waits and has left memory. Nothing follows. */
export interface Finished {
  readonly type: "finished";
  readonly outcome: OutcomeSummary;
}

/** One event of a run; `type` tells which. */
export type Event =
  | TextDelta
  | ReasoningDelta
  | ToolCallDelta
  | Retracted
  | ToolStarted
  | ToolFinished
  | Asked
  | EntryEvent
  | Finished;
