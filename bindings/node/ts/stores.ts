/**
 * The engine's own stores and embedders, for use by themselves.
 *
 * @module
 */
import { type Bridge, theBridge } from "./bridge.js";
import type { Usage as UsageData } from "./generated/types.js";
import { modelSpec, type ModelOptions } from "./models.js";
import { native } from "./native.js";
import { type Usage, usageOf } from "./outcome.js";
import type { Durability, Store } from "./ports.js";

/**
 * One of the engine's stores, asked method by method: for a store of your own that stands around it.
 *
 * ```ts
 * const inner = new EngineStore("memory:");
 * const store = { ...inner.promises, call: (method: string, args: unknown) => (console.log(method), inner.call(method, args)) };
 * await using rt = await Runtime.open("memory:", { store });
 * ```
 */
export class EngineStore implements Store {
  readonly #bridge: Bridge;
  readonly #number: number;
  /** What a completed commit survives. */
  readonly durability: Durability;
  /** Whether anything is kept at rest. */
  readonly atRest: boolean;
  /** Whether several processes may use it at once. */
  readonly shared: boolean;

  /**
   * Opens the store at `memory:` or `sqlite:PATH`.
   *
   * @throws {@link NfaError} what the store gives.
   */
  constructor(url: string) {
    this.#bridge = theBridge();
    this.#number = native(() => this.#bridge.native.engineStore(url));
    const inMemory = url.startsWith("memory:");
    this.durability = inMemory ? "memory" : url.includes("durability=relaxed") ? "relaxed" : "full";
    this.atRest = !inMemory;
    this.shared = !inMemory;
    stores.register(this, { bridge: this.#bridge, number: this.#number });
  }

  /** What it promises, for a store around it to promise, too. */
  get promises(): { readonly durability: Durability; readonly atRest: boolean; readonly shared: boolean } {
    const { durability, atRest, shared } = this;
    return { durability, atRest, shared };
  }

  /** Does what a method of the port asks. */
  async call(method: string, args: unknown): Promise<unknown> {
    const text = JSON.stringify(args);
    return this.#bridge.wait(native(() => this.#bridge.native.askStore(this.#number, method, text)));
  }
}

/** Vectors of texts, and what they cost. */
export interface Embedded {
  /** One for each text, in their order. */
  readonly vectors: ReadonlyArray<readonly number[]>;
  /** What they cost. */
  readonly usage: Usage;
  /** The model that answered, as the provider names it. */
  readonly model: string;
}

/**
 * Makes vectors of texts.
 *
 * ```ts
 * const { vectors } = await new Embedder("openai/text-embedding-3-small").embed(["Oslo", "Bergen"]);
 * ```
 */
export class Embedder {
  readonly #bridge: Bridge;
  readonly #number: number;

  /**
   * The embedder of a provider.
   *
   * @throws {@link ConfigurationError} `model_unknown_provider`, `model_key_missing` and the like.
   */
  constructor(model: string | ModelOptions) {
    this.#bridge = theBridge();
    this.#number = native(() => this.#bridge.native.embedder(JSON.stringify(modelSpec(model))));
    embedders.register(this, { bridge: this.#bridge, number: this.#number });
  }

  /** The vectors of texts, in their order. */
  async embed(texts: readonly string[]): Promise<Embedded> {
    const ticket = native(() => this.#bridge.native.embed(this.#number, [...texts]));
    const { usage, ...same } = await this.#bridge.wait<Omit<Embedded, "usage"> & { readonly usage: UsageData }>(ticket);
    return { ...same, usage: usageOf(usage) };
  }
}

interface Held {
  readonly bridge: Bridge;
  readonly number: number;
}

const stores = new FinalizationRegistry<Held>(({ bridge, number }) => bridge.native.dropStore(number));
const embedders = new FinalizationRegistry<Held>(({ bridge, number }) => bridge.native.dropEmbedder(number));
