// ai (Vercel AI SDK): its agent, on its provider for servers that speak Chat Completions.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ToolLoopAgent, tool } from "ai";

import { INSTRUCTIONS, MODEL } from "./words.mjs";

/** Only made where it is used: an agent without tools needs no schemas. */
async function add() {
  const { z } = await import("zod");
  return tool({
    description: "Adds two integers.",
    inputSchema: z.object({ a: z.number().int(), b: z.number().int() }),
    execute: async ({ a, b }) => a + b,
  });
}

export class Contender {
  async open(workload) {
    const provider = createOpenAICompatible({
      name: "local",
      baseURL: process.env.OPENAI_BASE_URL,
      apiKey: process.env.OPENAI_API_KEY,
    });
    this.agent = new ToolLoopAgent({
      model: provider.chatModel(MODEL),
      instructions: INSTRUCTIONS,
      tools: workload === "three_tool_rounds" ? { add: await add() } : {},
    });
    this.sessions = new Map();
  }

  async answer(question) {
    return (await this.agent.generate({ prompt: question })).text;
  }

  async stream(question) {
    const result = await this.agent.stream({ prompt: question });
    let text = "";
    let pieces = 0;
    for await (const piece of result.textStream) {
      text += piece;
      pieces++;
    }
    return { text, pieces };
  }

  async remember(session, question) {
    // It keeps no sessions: its documentation adds the messages of a run to those that were sent.
    const messages = this.sessions.get(session) ?? [];
    this.sessions.set(session, messages);
    messages.push({ role: "user", content: question });
    const { text, response } = await this.agent.generate({ messages });
    messages.push(...response.messages);
    return text;
  }

  async close() {}
}
