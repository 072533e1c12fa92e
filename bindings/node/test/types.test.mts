/** What the compiler knows: it fails this file when a type is inferred otherwise. */
import { test } from "node:test";

import {
  agent,
  Agent,
  type DepsOf,
  type Event,
  type Outcome,
  type Run,
  type RunOptions,
  Runtime,
  type TextDeltaEvent,
  tool,
  type Tool,
  type ToolContext,
} from "nfa-runtime";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <T extends true>(_?: T): void => undefined;

const Answer = z.object({ city: z.string(), rain: z.boolean().default(false) });

test("types are inferred from schema to tool, agent, run and outcome", () => {
  const weather = tool({
    name: "weather",
    input: z.object({ city: z.string(), days: z.number().optional() }),
    run: async (input, context) => {
      same<Equal<typeof input, { city: string; days?: number | undefined }>>();
      same<Equal<typeof context.signal, AbortSignal>>();
      same<Equal<typeof context.deps, unknown>>();
      return 42;
    },
  });
  same<Equal<typeof weather, Tool<unknown, { city: string; days?: number | undefined }, number>>>();
  tool({ name: "a", input: type({ "n?": "number" }), run: (input) => same<Equal<typeof input, { n?: number }>>() });
  tool({ name: "v", input: v.object({ n: v.number() }), run: (input) => same<Equal<typeof input, { n: number }>>() });
  tool({ name: "p", input: { jsonSchema: {} }, run: (input) => same<Equal<typeof input, unknown>>() });
  tool({
    name: "q",
    input: { jsonSchema: {}, validate: (value: unknown) => Number(value) },
    run: (input) => same<Equal<typeof input, number>>(),
  });
  tool({ name: "n", run: (input) => same<Equal<typeof input, Record<string, never>>>() });
  // @ts-expect-error -- the output schema and the function disagree
  tool({ name: "o", output: z.string(), run: () => 42 });

  const helper = agent({ name: "helper", model: "openai/gpt-5-mini", tools: [weather], output: Answer });
  same<Equal<typeof helper, Agent<z.infer<typeof Answer>, unknown>>>();
  const plain = agent({ name: "plain", model: "openai/gpt-5-mini" });
  same<Equal<typeof plain, Agent<string, unknown>>>();

  const use = async (rt: Runtime): Promise<void> => {
    const run = rt.run(helper, "go", { session: "alice", signal: new AbortController().signal });
    same<Equal<typeof run, Run<{ city: string; rain: boolean }>>>();
    const outcome = await run.outcome();
    same<Equal<typeof outcome, Outcome<{ city: string; rain: boolean }>>>();
    const { output } = outcome;
    same<Equal<typeof output, z.infer<typeof Answer>>>();
    same<Equal<Awaited<ReturnType<typeof run.output>>, z.infer<typeof Answer>>>();
    const resumed = rt.resume("00", { agent: helper });
    same<Equal<typeof resumed, Run<z.infer<typeof Answer>>>>();
    same<Equal<ReturnType<typeof rt.resume>, Run<unknown>>>();
    for await (const event of run) {
      same<Equal<typeof event, Event>>();
      if (event.type === "text_delta") same<Equal<typeof event, TextDeltaEvent>>();
      if (event.type === "entry" && event.entry.type === "run_finished") same<Equal<typeof event.entry.seq, number>>();
    }
  };
  void use;
});

test("what tools want to be given is what a run must be given", () => {
  interface Db {
    readonly db: string;
  }
  interface Mail {
    readonly mail: string;
  }
  const query = tool({ name: "query", run: (_, { deps }: ToolContext<Db>) => deps.db });
  const send = tool({
    name: "send",
    input: z.object({ to: z.string() }),
    run: ({ to }, { deps }: ToolContext<Mail>) => `${to} ${deps.mail}`,
  });
  const free = tool({ name: "free", run: () => 1 });
  const optional = tool({ name: "optional", run: (_, { deps }: ToolContext<Db | undefined>) => deps?.db });
  same<Equal<DepsOf<readonly [typeof query, typeof send, typeof free]>, Db & Mail>>();

  const model = "openai/gpt-5-mini";
  const one = agent({ name: "one", model, tools: [query, free] });
  const both = agent({ name: "both", model, tools: [query, send] });
  const over = agent({ name: "over", model, tools: [one, both.asTool({ ownRun: true }), send] });
  const none = agent({ name: "none", model, tools: [free] });
  const maybe = agent({ name: "maybe", model, tools: [optional] });
  const inline = agent({
    name: "inline",
    model,
    tools: [tool({ name: "x", run: (_, { deps }: ToolContext<Db>) => deps })],
  });
  const fromSpec = Agent.fromSpec({ name: "spec", model, tools: ["query"] }, { tools: [query] });

  const use = (rt: Runtime): void => {
    rt.run(one, "go", { deps: { db: "x" } });
    rt.run(over, "go", { deps: { db: "x", mail: "y" } });
    rt.run(none, "go");
    rt.run(none, "go", { deps: 3 });
    rt.run(maybe, "go");
    rt.run(inline, "go", { deps: { db: "x" } });
    rt.run(fromSpec, "go", { deps: { db: "x" } });
    // @ts-expect-error -- `query` wants a database
    rt.run(one, "go");
    // @ts-expect-error -- and `send` a way to mail
    rt.run(both, "go", { deps: { db: "x" } });
    // @ts-expect-error -- the agents inside want theirs, too
    rt.run(over, "go", { deps: { mail: "y" } });
    // @ts-expect-error -- nor is it enough inline
    rt.run(inline, "go", { session: "s" });
    // @ts-expect-error -- or from data
    rt.run(fromSpec, "go");
    // @ts-expect-error -- an option that is not known
    rt.run(none, "go", { colour: "red" });
    const options: RunOptions = { whenBusy: "queue" };
    rt.run(none, "go", options);
  };
  void use;
});
