// Plays a scenario in Node, and tells what came of it: SCENARIO STORE. See `scenarios/README.md`.
import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";

import { FatalToolError, NfaError, Runtime, tool, ToolError } from "../package.mjs";
import { agentOf, camel } from "./spec.mjs";

const JOINED = { text_delta: "text", reasoning_delta: "text", tool_call_delta: "arguments" };

/** Events in the form in which they are expected: deltas joined, a list for each step. */
class Told {
  steps = {};

  /** Takes an event; gives the one that it now stands in. */
  take(given) {
    const [step, event] = broughtDown(given);
    const told = (this.steps[step] ??= []);
    const last = told.at(-1);
    const joined = JOINED[event.type];
    if (joined && last && ["type", "attempt", "index"].every((name) => last[name] === event[name])) {
      last[joined] = (last[joined] ?? "") + (event[joined] ?? "");
    } else {
      told.push(event);
    }
    return told.at(-1);
  }
}

/** The step of an event, and the event without what differs between two runs. */
function broughtDown(event) {
  const { type, step = "" } = event;
  switch (type) {
    case "entry": {
      const of = event.entry.step ?? event.entry.frame ?? "";
      return [of, { type, entry: event.entry.type, ...(of === "" ? {} : { step: of }) }];
    }
    case "retracted": {
      const { reason: _, ...rest } = event;
      return [step, rest];
    }
    case "finished": {
      const { run: _, error, ...outcome } = event.outcome;
      return [step, { type, outcome: { ...outcome, ...(error === undefined ? {} : { error: error.code }) } }];
    }
    default:
      return [step, { ...event }];
  }
}

function matches(event, pattern) {
  return Object.entries(pattern).every(([name, value]) => isDeepStrictEqual(event[name], value));
}

class Gate {
  passing = new Promise((open) => (this.open = open));
}

class Player {
  runs = new Map();
  told = [];
  journal = "";

  constructor(scenario, store) {
    this.scenario = scenario;
    this.store = store;
    this.deps = scenario.deps ?? null;
    this.gates = Object.entries(scenario.gates ?? {}).map(([name, pattern]) => ({ name, pattern, gate: new Gate() }));
    const tools = Object.entries(scenario.tools ?? {}).map(([name, told]) => [name, this.tool(name, told)]);
    this.agent = agentOf(scenario.agent, new Map(tools));
  }

  tool(name, { description, parameters, effect, approval, does }) {
    let calls = 0;
    const run = async (input, context) => {
      calls += 1;
      for (const deed of does) {
        const [[what, value]] = typeof deed === "string" ? [[deed]] : Object.entries(deed);
        switch (what) {
          case "return":
            return value;
          case "echo":
            return input;
          case "sum":
            return value.reduce((sum, member) => sum + input[member], 0);
          case "dep":
            return context.deps[value];
          case "context":
            return Object.fromEntries(value.map((member) => [member, context[member] ?? null]));
          case "error":
            throw new ToolError(value);
          case "fatal":
            throw new FatalToolError(value);
          case "fail":
            if (calls <= value.times) throw new ToolError(value.error);
            break;
          case "wrong_type":
            return 7n;
          case "wait":
            await this.gates.find((one) => one.name === value).gate.passing;
            break;
          case "until_cancelled":
            if (!context.signal.aborted) {
              await new Promise((over) => context.signal.addEventListener("abort", over, { once: true }));
            }
            break;
          default:
            throw new FatalToolError(`no tool does ${what}`);
        }
      }
      return null;
    };
    return tool({ name, description, input: { jsonSchema: parameters }, effect, approval, run });
  }

  async play() {
    this.runtime = await Runtime.open(this.store);
    for (const [place, act] of this.scenario.acts.entries()) await this.act(place, act);
    for (const run of this.runs.values()) this.journal += await this.runtime.canonicalJournal(run);
    await this.runtime.close();
    return { told: this.told, journal: this.journal };
  }

  async act(place, act) {
    const { runtime, deps } = this;
    const { step, by, session, user } = act;
    const run = this.runs.get(act.run ?? "run");
    switch (act.do) {
      case "run":
        return this.follow(place, act, runtime.run(this.agent, act.input, { session, user, deps, events: true }));
      case "resume": {
        const limits = act.limits && camel(act.limits);
        return this.follow(place, act, runtime.resume(run, { limits, deps, events: true }));
      }
      case "approve":
        return runtime.approve(run, step, { by });
      case "deny":
        return runtime.deny(run, step, { reason: act.reason, by });
      case "answer":
        return runtime.answer(run, step, act.text, { by });
      case "cancel":
        return runtime.cancel(run);
      case "reopen":
        if (this.store === "memory:") return undefined;
        await runtime.close();
        this.runtime = await Runtime.open(this.store);
        return this.runtime.register(this.agent);
      case "erase":
        if (session !== undefined) return runtime.erase({ kind: "session", session });
        return runtime.erase(user === undefined ? { kind: "run", run } : { kind: "user", user });
      case "journal":
        this.journal += await runtime.canonicalJournal(run);
        return undefined;
      default:
        throw new Error(`nobody does ${act.do}`);
    }
  }

  async follow(place, act, run) {
    try {
      const id = await run.started();
      if (act.do === "run") this.runs.set(act.as ?? "run", id);
    } catch (error) {
      if (!(error instanceof NfaError) || error.code !== act.refused) throw error;
      this.told.push({ act: place, refused: error.code });
      return;
    }
    if (act.refused !== undefined) throw new Error(`act ${place} was not refused`);
    const told = new Told();
    let reactions = act.on ?? [];
    for await (const event of run) {
      const seen = told.take(event);
      for (const { pattern, gate } of this.gates) if (matches(seen, pattern)) gate.open();
      const now = reactions.filter((reaction) => matches(seen, reaction.event));
      reactions = reactions.filter((reaction) => !now.includes(reaction));
      for (const { then } of now) {
        if (then.do === "cancel") run.cancel();
        else await this.act(place, then);
      }
    }
    if (reactions.length > 0) throw new Error(`act ${place}: never saw ${JSON.stringify(reactions)}`);
    this.told.push({ act: place, events: told.steps });
  }
}

const [file, store] = process.argv.slice(2);
const scenario = JSON.parse(await readFile(file, "utf8"));
console.log(JSON.stringify(await new Player(scenario, store).play()));
