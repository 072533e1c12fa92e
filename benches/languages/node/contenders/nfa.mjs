// nfa: the runtime with its store in memory, and with its proof, as it is when nothing is said.

import { agent, Runtime, tool } from "nfa-runtime";

import { INSTRUCTIONS, MODEL } from "./words.mjs";

/** Only made where it is used: an agent without tools needs no schemas. */
async function add() {
  const { z } = await import("zod");
  return tool({
    name: "add",
    description: "Adds two integers.",
    input: z.object({ a: z.number().int(), b: z.number().int() }),
    run: async ({ a, b }) => a + b,
  });
}

/** A tool that only a cancel ends, and who runs in it. */
class Endless {
  running = 0;

  constructor(runs, z) {
    this.allRunning = new Promise((resolve) => (this.#allRun = () => this.running === runs && resolve()));
    this.noneRunning = new Promise((resolve) => (this.#noneRuns = () => this.running === 0 && resolve()));
    this.tool = tool({
      name: "add",
      description: "Adds two integers, never.",
      input: z.object({ a: z.number().int(), b: z.number().int() }),
      run: (_, { signal }) => this.#wait(signal),
    });
  }

  #allRun;
  #noneRuns;

  #wait(signal) {
    return new Promise((_, reject) => {
      this.running++;
      this.#allRun();
      signal.addEventListener("abort", () => {
        this.running--;
        this.#noneRuns();
        reject(signal.reason);
      });
    });
  }
}

export class Contender {
  async open(workload) {
    const { NFA_BENCH_STORE: store = "memory:", NFA_BENCH_PROOF: proof } = process.env;
    this.runtime = await Runtime.open(store, proof === "off" ? { proof: false } : {});
    this.agent = agent({
      name: "helper",
      model: `openai/${MODEL}`,
      instructions: INSTRUCTIONS,
      tools: workload === "three_tool_rounds" ? [await add()] : [],
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
    const endless = new Endless(runs, (await import("zod")).z);
    const wait = agent({
      name: "helper",
      model: `openai/${MODEL}`,
      instructions: INSTRUCTIONS,
      tools: [endless.tool],
    });
    const aborter = new AbortController();
    const { signal } = aborter;
    const outcomes = Array.from({ length: runs }, () => this.runtime.run(wait, "Wait.", { signal }).outcome());
    await endless.allRunning;
    aborter.abort();
    await Promise.all(outcomes);
    // A second is long before the engine would stop waiting for them.
    await Promise.race([endless.noneRunning, new Promise((resolve) => setTimeout(resolve, 1000))]);
    const stopped = await this.runtime.runs({ statuses: ["cancelled"], limit: runs });
    return { tools: endless.running, runs: runs - stopped.length };
  }

  async close() {
    await this.runtime.close();
  }
}
