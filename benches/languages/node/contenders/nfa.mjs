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

/** A tool that only a cancel ends. */
const endless = (running, runs, allRunning) =>
  tool({
    name: "add",
    description: "Adds two integers, never.",
    input: z.object({ a: z.number().int(), b: z.number().int() }),
    run: (_, { signal }) =>
      new Promise((_, reject) => {
        running.add(signal);
        if (running.size === runs) allRunning();
        signal.addEventListener("abort", () => {
          running.delete(signal);
          reject(signal.reason);
        });
      }),
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

  /** Cancels runs whose tools never end; what is left of them, in JavaScript and in Rust. */
  async cancel(runs) {
    const running = new Set();
    let wait;
    const allRunning = new Promise((resolve) => {
      wait = agent({
        name: "helper",
        model: `openai/${MODEL}`,
        instructions: INSTRUCTIONS,
        tools: [endless(running, runs, resolve)],
      });
    });
    const aborter = new AbortController();
    const started = Array.from({ length: runs }, () => this.runtime.run(wait, "Wait.", { signal: aborter.signal }));
    const outcomes = Promise.all(started.map((run) => run.outcome()));
    await allRunning;
    aborter.abort();
    await outcomes;
    const stopped = await this.runtime.runs({ statuses: ["cancelled"], limit: runs });
    return { tools: running.size, runs: runs - stopped.length };
  }

  async close() {
    await this.runtime.close();
  }
}
