// @openai/agents, on Chat Completions as everybody else, without its tracing.

import { Agent, MemorySession, run, setOpenAIAPI, setTracingDisabled, tool } from "@openai/agents";

import { INSTRUCTIONS, MODEL } from "./words.mjs";

/** Only made where it is used: an agent without tools needs no schemas. */
async function add() {
  const { z } = await import("zod");
  return tool({
    name: "add",
    description: "Adds two integers.",
    parameters: z.object({ a: z.number().int(), b: z.number().int() }),
    execute: async ({ a, b }) => a + b,
  });
}

export class Contender {
  async open(workload) {
    setTracingDisabled(true);
    setOpenAIAPI("chat_completions");
    this.agent = new Agent({
      name: "helper",
      instructions: INSTRUCTIONS,
      model: MODEL,
      tools: workload === "three_tool_rounds" ? [await add()] : [],
    });
    this.sessions = new Map();
  }

  async answer(question) {
    return (await run(this.agent, question)).finalOutput;
  }

  async stream(question) {
    const result = await run(this.agent, question, { stream: true });
    let text = "";
    let pieces = 0;
    for await (const piece of result.toTextStream()) {
      text += piece;
      pieces++;
    }
    await result.completed;
    return { text, pieces };
  }

  async remember(name, question) {
    let session = this.sessions.get(name);
    if (!session) this.sessions.set(name, (session = new MemorySession({ sessionId: name })));
    return (await run(this.agent, question, { session })).finalOutput;
  }

  async close() {}
}
