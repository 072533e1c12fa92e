// nfa: the runtime with its store in memory, and with its proof, as it is when nothing is said.

import { agent, Runtime, tool } from "nfa-runtime";
import { z } from "zod";

import { INSTRUCTIONS, MODEL } from "./words.mjs";

const add = tool({
  name: "add",
  description: "Adds two integers.",
  input: z.object({ a: z.number().int(), b: z.number().int() }),
  run: async ({ a, b }) => a + b,
});

export class Contender {
  async open(workload) {
    this.runtime = await Runtime.open(process.env.NFA_BENCH_STORE ?? "memory:");
    this.agent = agent({
      name: "helper",
      model: `openai/${MODEL}`,
      instructions: INSTRUCTIONS,
      tools: workload === "three_tool_rounds" ? [add] : [],
    });
  }

  async answer(question) {
    return (await this.runtime.run(this.agent, question).outcome()).text;
  }

  async stream(question) {
    const run = this.runtime.run(this.agent, question);
    let text = "";
    let pieces = 0;
    for await (const event of run) {
      if (event.type === "text_delta") {
        text += event.text;
        pieces++;
      }
    }
    return { text, pieces };
  }

  async remember(session, question) {
    return (await this.runtime.run(this.agent, question, { session }).outcome()).text;
  }

  async close() {
    await this.runtime.close();
  }
}
