/** L11: the scenarios of the repository, played from JavaScript, end with the same events and the same journals. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";

import {
  Agent,
  FatalToolError,
  type Limits,
  NfaError,
  Runtime,
  type Run,
  tool,
  ToolContext,
  ToolError,
} from "nfa-runtime";

import { deferred, type Deferred } from "./support/deferred.mjs";
import { serveFake } from "./support/fake.mjs";
import { packageRoot, scratch } from "./support/paths.mjs";

const folder = join(packageRoot, "../../scenarios");

type Json = Record<string, unknown>;
type Deed =
  | "echo"
  | "wrong_type"
  | "until_cancelled"
  | { return: unknown }
  | { sum: string[] }
  | { dep: string }
  | { context: Array<"agent" | "attempt" | "session" | "step"> }
  | { error: string }
  | { fatal: string }
  | { fail: { times: number; error: string } }
  | { wait: string };

interface Scenario {
  readonly agent: Json & { readonly name: string };
  readonly tools?: Record<string, Json & { readonly parameters: Json; readonly does: Deed[] }>;
  readonly deps?: Json;
  readonly gates?: Record<string, Json>;
  readonly acts: readonly Act[];
}

interface Act {
  readonly do: string;
  readonly as?: string;
  readonly run?: string;
  readonly input?: string;
  readonly session?: string;
  readonly user?: string;
  readonly step?: string;
  readonly by?: string;
  readonly reason?: string;
  readonly text?: string;
  readonly limits?: Record<string, number>;
  readonly on?: ReadonlyArray<{ readonly event: Json; readonly then: Act }>;
  readonly refused?: string;
}

const only = process.env["NFA_SCENARIO"];
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".json") && file !== "schema.json")
  .map((file) => basename(file, ".json"))
  .filter((name) => only === undefined || only === name);

for (const name of names) {
  for (const store of ["memory", "sqlite"]) {
    test(`l11 ${name} on ${store}`, { timeout: 60_000 }, async () => {
      using place = scratch();
      await using server = await serveFake(["--script", join(folder, `${name}.json`)]);
      for (const provider of ["OPENAI", "ANTHROPIC"]) {
        process.env[`${provider}_BASE_URL`] = server.baseUrl;
        process.env[`${provider}_API_KEY`] = "scenario";
      }
      const scenario = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as Scenario;
      const url = store === "memory" ? "memory:" : `sqlite:${place.at("agents.db")}`;
      const player = new Player(scenario, url);
      await player.play();
      const expected = (kind: string): string => readFileSync(join(folder, "expected", `${name}.${kind}`), "utf8");
      assert.deepEqual(player.told, JSON.parse(expected("events.json")));
      assert.equal(player.journals, expected("journal"));
    });
  }
}

class Player {
  readonly told: Json[] = [];
  journals = "";
  readonly #scenario: Scenario;
  readonly #url: string;
  readonly #agent: Agent<unknown, any>;
  readonly #gates = new Map<string, Deferred<void>>();
  readonly #runs = new Map<string, string>();
  #rt: Runtime | undefined;

  constructor(scenario: Scenario, url: string) {
    this.#scenario = scenario;
    this.#url = url;
    for (const gate of Object.keys(scenario.gates ?? {})) this.#gates.set(gate, deferred());
    const tools = Object.entries(scenario.tools ?? {}).map(([name, { parameters, does, ...rest }]) =>
      this.#tool(name, parameters, does, rest),
    );
    this.#agent = Agent.fromSpec(scenario.agent as never, { tools });
  }

  async play(): Promise<void> {
    await this.#open();
    for (const [place, act] of this.#scenario.acts.entries()) {
      if (act.refused === undefined) {
        await this.#act(act, place);
        continue;
      }
      await assert.rejects(this.#act(act, place), (error) => {
        assert.ok(error instanceof NfaError, String(error));
        assert.equal(error.code, act.refused);
        return true;
      });
      if (act.do === "run" || act.do === "resume") this.told.push({ act: place, refused: act.refused });
    }
    for (const run of this.#runs.values()) this.journals += await this.#runtime.canonicalJournal(run);
    await this.#runtime.close();
  }

  get #runtime(): Runtime {
    assert.ok(this.#rt !== undefined);
    return this.#rt;
  }

  async #open(): Promise<void> {
    this.#rt = await Runtime.open(this.#url);
    this.#rt.register(this.#agent);
  }

  async #act(act: Act, place: number): Promise<void> {
    const rt = this.#runtime;
    const run = this.#runs.get(act.run ?? "run") ?? "";
    const step = act.step ?? "";
    const by = act.by === undefined ? {} : { by: act.by };
    switch (act.do) {
      case "run": {
        const { session, user } = act;
        const options = {
          deps: this.#scenario.deps ?? null,
          ...(session === undefined ? {} : { session }),
          ...(user === undefined ? {} : { user }),
        };
        return this.#read(rt.run(this.#agent, act.input ?? "", options), act, place, act.as ?? "run");
      }
      case "resume": {
        const limits = act.limits === undefined ? {} : { limits: limitsOf(act.limits) };
        const options = { deps: this.#scenario.deps ?? null, ...limits };
        return this.#read(rt.resume(run, options), act, place, undefined);
      }
      case "approve":
        return void (await rt.approve(run, step, by));
      case "deny":
        return void (await rt.deny(run, step, { ...by, ...(act.reason === undefined ? {} : { reason: act.reason }) }));
      case "answer":
        return void (await rt.answer(run, step, act.text ?? "", by));
      case "cancel":
        return void (await rt.cancel(run));
      case "reopen":
        if (this.#url === "memory:") return;
        await rt.close();
        return this.#open();
      case "erase":
        return void (await rt.erase(
          act.session !== undefined
            ? { kind: "session", session: act.session }
            : act.user !== undefined
              ? { kind: "user", user: act.user }
              : { kind: "run", run },
        ));
      case "journal":
        this.journals += await rt.canonicalJournal(run);
        return;
      default:
        assert.fail(`an act that this runner does not know: ${act.do}`);
    }
  }

  async #read(run: Run, act: Act, place: number, name: string | undefined): Promise<void> {
    const left = [...(act.on ?? [])];
    const events: Record<string, Json[]> = {};
    const reading = run[Symbol.asyncIterator]();
    if (name !== undefined) this.#runs.set(name, await run.started());
    for await (const raw of reading) {
      const event = put(events, raw as never);
      for (const [gate, pattern] of Object.entries(this.#scenario.gates ?? {})) {
        if (fits(pattern, event)) this.#gates.get(gate)?.resolve();
      }
      for (const reaction of left.filter(({ event: pattern }) => fits(pattern, event))) {
        left.splice(left.indexOf(reaction), 1);
        if (reaction.then.do === "cancel") run.cancel();
        else await this.#act(reaction.then, place);
      }
    }
    assert.deepEqual(left, []);
    this.told.push({ act: place, events });
  }

  #tool(name: string, parameters: Json, does: readonly Deed[], rest: Json) {
    let calls = 0;
    return tool({
      ...(rest as object),
      name,
      input: { jsonSchema: parameters },
      run: async (input, context: ToolContext<any>) => {
        calls += 1;
        for (const deed of does) {
          const given = await this.#do(deed, input as Json, context, calls);
          if (given !== undefined) return given.value;
        }
        return null;
      },
    });
  }

  async #do(
    deed: Deed,
    input: Json,
    context: ToolContext<any>,
    calls: number,
  ): Promise<{ readonly value: unknown } | undefined> {
    if (deed === "echo") return { value: input };
    if (deed === "wrong_type") return { value: 1n };
    if (deed === "until_cancelled") {
      if (!context.signal.aborted) await once(context.signal, "abort");
      return undefined;
    }
    if ("return" in deed) return { value: deed.return };
    if ("sum" in deed) return { value: deed.sum.reduce((sum, key) => sum + (input[key] as number), 0) };
    if ("dep" in deed) return { value: context.deps[deed.dep] };
    if ("context" in deed) {
      return { value: Object.fromEntries(deed.context.map((member) => [member, context[member] ?? null])) };
    }
    if ("error" in deed) throw new ToolError(deed.error);
    if ("fatal" in deed) throw new FatalToolError(deed.fatal);
    if ("fail" in deed) {
      if (calls <= deed.fail.times) throw new ToolError(deed.fail.error);
      return undefined;
    }
    await this.#gates.get(deed.wait)?.promise;
    return undefined;
  }
}

function limitsOf(limits: Record<string, number>): Limits {
  const camel = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(limits).map(([name, value]) => [camel(name), value]));
}

/** Puts an event into the list of its step, in the form that all languages share, and gives it as it is then. */
function put(events: Record<string, Json[]>, raw: Json): Json {
  const event = formOf(raw);
  const list = (events[(event["step"] as string | undefined) ?? ""] ??= []);
  const last = list.at(-1);
  const same = (...members: string[]): boolean => members.every((member) => last?.[member] === event[member]);
  if (last !== undefined && same("type", "attempt")) {
    if (event["type"] === "text_delta" || event["type"] === "reasoning_delta") {
      last["text"] = `${last["text"]}${event["text"]}`;
      return last;
    }
    if (event["type"] === "tool_call_delta" && same("index")) {
      last["arguments"] = `${last["arguments"] ?? ""}${event["arguments"] ?? ""}`;
      return last;
    }
  }
  list.push(event);
  return event;
}

function formOf(raw: Json): Json {
  if (raw["type"] === "entry") {
    const entry = raw["entry"] as Json;
    const step = entry["step"] ?? entry["frame"] ?? "";
    return { type: "entry", entry: entry["type"], ...(step === "" ? {} : { step }) };
  }
  const event = { ...raw };
  if (event["type"] === "retracted") delete event["reason"];
  if (event["type"] === "finished") {
    const { run: _, error, ...outcome } = event["outcome"] as Json;
    event["outcome"] = error === undefined ? outcome : { ...outcome, error: (error as Json)["code"] };
  }
  return event;
}

function fits(pattern: Json, event: Json): boolean {
  return Object.entries(pattern).every(([member, value]) => {
    try {
      assert.deepEqual(event[member], value);
      return true;
    } catch {
      return false;
    }
  });
}
