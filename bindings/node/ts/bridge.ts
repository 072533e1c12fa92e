/**
 * The environment's end of the queue: letters of the engine in, answers out.
 *
 * @module
 */
import { AsyncResource } from "node:async_hooks";
import { setInterval } from "node:timers";

import type { Code } from "./agent.js";
import { type CallData, ToolContext } from "./context.js";
import { type ErrorData, errorFrom, RunCancelledError } from "./errors.js";
import { abilitiesOf, modelObject } from "./host-model.js";
import { NotJson } from "./json.js";
import { load } from "./loader.js";
import { native, type NativeHost, type NativeModule } from "./native.js";
import { ToolError, toolObject } from "./tool.js";

/** Something of ours that the engine may call: gives the JSON text of its answer. */
export type Method = (
  args: unknown,
  context: ToolContext<any> | undefined,
  stream: (item: string) => boolean,
) => Promise<string>;

/** An object in the table, by the names of its methods. */
export interface HostObject {
  readonly methods: Readonly<Record<string, Method>>;
  /** The error of the engine that something thrown is; nothing for one that is only told in words. */
  readonly stated: (thrown: unknown) => ErrorData | undefined;
}

/** What travels with a run: the caller's dependencies, and the async context that tools run in. */
export class Given {
  readonly deps: unknown;
  readonly #scope = new AsyncResource("nfa.Run", { requireManualDestroy: true });

  constructor(deps: unknown) {
    this.deps = deps;
  }

  run<T>(call: () => T): T {
    return this.#scope.runInAsyncScope(call);
  }
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  readonly holds: boolean;
}

interface UnderWay {
  readonly context: ToolContext | undefined;
  readonly stated: HostObject["stated"];
}

type Letter =
  | readonly [kind: 0 | 5, ticket: number, value: unknown]
  | readonly [kind: 1, ticket: number, report: ErrorData]
  | readonly [
      kind: 2,
      call: number,
      object: number,
      method: string,
      context: CallData | null,
      given: number | null,
      args: unknown,
    ]
  | readonly [kind: 3, call: number]
  | readonly [kind: 4, objects: readonly number[]];

/** As long as a timer may be: it only keeps the process alive, and never rings. */
const FOR_EVER = 0x7fff_ffff;

/** The one bridge of this environment. */
export class Bridge {
  readonly module: NativeModule;
  readonly native: NativeHost;
  readonly #waiting = new Map<number, Waiting>();
  readonly #objects = new Map<number, HostObject | Given>();
  readonly #calls = new Map<number, UnderWay>();
  readonly #alive: NodeJS.Timeout;
  #lastObject = 0;
  #holding = 0;

  constructor(module: NativeModule) {
    this.module = module;
    this.native = native(() => new module.Host(() => this.#drain()));
    this.#alive = setInterval(() => {}, FOR_EVER).unref();
  }

  /** Waits for a ticket. While it `holds`, the process stays alive. */
  wait<T>(ticket: number, holds = true): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(ticket, { resolve, reject, holds });
      if (holds) this.hold();
    });
  }

  /** Keeps the process alive until {@link release}. */
  hold(): void {
    if (this.#holding++ === 0) this.#alive.ref();
  }

  /** Takes {@link hold} back. */
  release(): void {
    if (--this.#holding === 0) this.#alive.unref();
  }

  /** Puts an object into the table; it stays there until the engine lets go of it. */
  put(object: HostObject | Given): number {
    this.#lastObject = (this.#lastObject + 1) >>> 0;
    this.#objects.set(this.#lastObject, object);
    return this.#lastObject;
  }

  /** Takes an object out of the table that the engine never got. */
  forget(object: number): void {
    this.#objects.delete(object);
  }

  /** How many objects the engine holds; for tests. */
  get held(): number {
    return this.#objects.size;
  }

  /** Makes the engine's agent of what an agent is made of. */
  agent(spec: object, code: Code): number {
    const objects: number[] = [];
    const put = (object: HostObject): number => {
      const id = this.put(object);
      objects.push(id);
      return id;
    };
    const parts = {
      spec,
      tools: Array.from(code.tools.values(), (tool) => ({
        object: put(toolObject(tool)),
        spec: tool.spec,
        reconciles: tool.reconciles,
      })),
      models: Array.from(code.models.values(), (model) => ({
        object: put(modelObject(model)),
        name: model.name,
        abilities: abilitiesOf(model),
      })),
    };
    try {
      return native(() => this.native.agent(JSON.stringify(parts)));
    } catch (error) {
      objects.forEach((object) => this.forget(object));
      throw error;
    }
  }

  /** Called by the addon: nothing that is thrown in here may get out. */
  #drain(): void {
    let letters: readonly Letter[];
    try {
      const text = this.native.take();
      if (text === null) return;
      letters = JSON.parse(text) as readonly Letter[];
    } catch (error) {
      warn(error);
      return;
    }
    for (const letter of letters) {
      try {
        this.#read(letter);
      } catch (error) {
        warn(error);
      }
    }
  }

  #read(letter: Letter): void {
    switch (letter[0]) {
      case 0:
      case 5:
        this.#settle(letter[1])?.resolve(letter[2] as never);
        break;
      case 1:
        this.#settle(letter[1])?.reject(errorFrom(letter[2]));
        break;
      case 2:
        this.#call(letter[1], letter[2], letter[3], letter[4], letter[5], letter[6]);
        break;
      case 3: {
        const context = this.#calls.get(letter[1])?.context;
        this.#calls.delete(letter[1]);
        context?.cancel(nobodyWaits());
        break;
      }
      case 4:
        for (const object of letter[1]) this.#objects.delete(object);
        break;
    }
  }

  #settle(ticket: number): Waiting | undefined {
    const waiting = this.#waiting.get(ticket);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(ticket);
    if (waiting.holds) this.release();
    return waiting;
  }

  #call(call: number, id: number, name: string, data: CallData | null, givenId: number | null, args: unknown): void {
    const object = this.#objects.get(id);
    const method = object === undefined || object instanceof Given ? undefined : object.methods[name];
    if (object === undefined || object instanceof Given || method === undefined) {
      this.native.raise(call, `TypeError: there is no method \`${name}\``);
      return;
    }
    const given = givenId === null ? undefined : this.#objects.get(givenId);
    const surroundings = given instanceof Given ? given : undefined;
    const context = data === null ? undefined : new ToolContext<unknown>(data, surroundings?.deps);
    this.#calls.set(call, { context, stated: object.stated });
    const stream = (item: string): boolean => native(() => this.native.add(call, item));
    const start = (): Promise<string> => method(args, context, stream);
    // A method is an async function: what it throws at once is a rejection, too.
    const answer = surroundings === undefined ? start() : surroundings.run(start);
    answer.then(
      (json) => this.#answer(call, json),
      (thrown: unknown) => this.#failed(call, thrown),
    );
  }

  #answer(call: number, json: string): void {
    const underWay = this.#calls.get(call);
    if (underWay === undefined) return;
    try {
      native(() => this.native.answer(call, json));
      this.#calls.delete(call);
    } catch (error) {
      // Text that only JavaScript takes for JSON, such as half of a surrogate pair.
      this.#failed(call, new NotJson(wordsOf(error), { cause: error }));
    }
  }

  #failed(call: number, thrown: unknown): void {
    const underWay = this.#calls.get(call);
    if (underWay === undefined) return;
    this.#calls.delete(call);
    const report = underWay.stated(thrown);
    if (report === undefined) {
      this.native.raise(call, wordsOf(thrown));
    } else {
      this.native.fail(call, JSON.stringify(report));
    }
  }
}

let bridge: Bridge | undefined;

/** The bridge of this environment, made when it is first asked for. */
export function theBridge(): Bridge {
  bridge ??= new Bridge(load());
  return bridge;
}

/** What the other side is told of something that was thrown: `Name: message`. */
export function wordsOf(thrown: unknown): string {
  if (thrown instanceof ToolError) return thrown.message;
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : `thrown: ${String(thrown)}`;
  } catch {
    return `thrown: something that cannot be written as text`;
  }
}

function nobodyWaits(): RunCancelledError {
  return new RunCancelledError("nobody waits for this call any more: the run was cancelled, or it is out of time", {
    code: "call_cancelled",
    component: "tool",
  });
}

function warn(error: unknown): void {
  process.emitWarning(`nfa-runtime could not read what the engine sent: ${wordsOf(error)}; report it`);
}
