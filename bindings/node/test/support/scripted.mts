/** A model whose answers are written down beforehand. */
import type { HostModel, ModelAnswerInput, ModelPiece, ModelRequest } from "nfa-runtime";

type Call = { readonly name: string; readonly arguments: unknown };
type Turn = string | { readonly calls: readonly Call[] } | { readonly deltas: readonly ModelPiece[] };

/** What it was asked, turn after turn. */
export interface Scripted extends HostModel {
  readonly requests: ModelRequest[];
}

/** A model that gives these turns, one after the other. */
export function scripted(...turns: readonly Turn[]): Scripted {
  const requests: ModelRequest[] = [];
  return {
    name: "test/scripted",
    requests,
    generate(request) {
      requests.push(request);
      const turn = turns[requests.length - 1];
      if (turn === undefined) throw new Error(`no turn ${requests.length} in the script`);
      if (typeof turn === "object" && "deltas" in turn) return given(turn.deltas);
      return answer(turn, requests.length);
    },
  };
}

async function* given(deltas: readonly ModelPiece[]): AsyncIterable<ModelPiece> {
  yield* deltas;
}

/** The whole answer of a turn. */
export function answer(turn: string | { readonly calls: readonly Call[] }, number = 1): ModelAnswerInput {
  if (typeof turn === "string") {
    return { message: { role: "assistant", parts: [{ type: "text", text: turn }] }, finish: "stop" };
  }
  const parts = turn.calls.map(
    (call, at) =>
      ({
        type: "tool_call",
        id: `call-${number}-${at}`,
        name: call.name,
        arguments: typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments),
      }) as const,
  );
  return { message: { role: "assistant", parts }, finish: "tool_calls" };
}
