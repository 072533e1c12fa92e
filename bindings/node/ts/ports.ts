/**
 * What a runtime may be opened with that is written in JavaScript: a store, keys, witnesses, anchors, a cache.
 *
 * @module
 */
import type { Bridge, HostObject, Method } from "./bridge.js";
import { errorData, InputError, NfaError } from "./errors.js";
import type { ErrorReport } from "./generated/types.js";
import { toJson } from "./json.js";
import { present } from "./models.js";

/** Something at once, or later. */
export type Awaitable<T> = T | Promise<T>;

/** Bytes as lower-case hexadecimal text. */
export type Hex = string;

/** What a completed commit survives: nothing, `kill -9` of the process, or a loss of power, too. */
export type Durability = "memory" | "relaxed" | "full";

/**
 * A store of your own. The methods are those of the engine's port, by their names there, each with its arguments as an
 * object; `commit` is one transaction. {@link EngineStore} answers them all, for a store that stands around one of the
 * engine's. An {@link NfaError} that `call` throws keeps its code, which the engine looks at.
 */
export interface Store {
  /** What a completed commit survives. */
  readonly durability: Durability;
  /** Whether anything is kept at rest, so that content must be encrypted. */
  readonly atRest?: boolean;
  /** Whether several processes may use it at once. */
  readonly shared?: boolean;
  /** Does what a method asks. Calls come in the order in which the engine made them. */
  call(method: string, args: unknown): unknown;
}

/**
 * Who holds the secret keys, apart from the content that they seal. A key is durable before it is returned, and as
 * durable as anything sealed under it. Keys, seeds and roots are 32 bytes.
 */
export interface Keys {
  /** The key of a subject, made if there is none. */
  subjectKey(args: { readonly subject: string }): Awaitable<Hex>;
  /** The key of a subject, if there is one. */
  existingSubjectKey(args: { readonly subject: string }): Awaitable<Hex | null>;
  /** Destroys the key of a subject, durably: what was sealed under it can never be read again. */
  destroySubjectKey(args: { readonly subject: string }): Awaitable<void>;
  /** The Ed25519 seed of the first key of a log, made if there is none. */
  logSeed(args: { readonly log: string }): Awaitable<Hex>;
  /** The seed of a later key of a log, if there is one; generation 1 is the first that a rotation made. */
  laterLogSeed(args: { readonly log: string; readonly generation: number }): Awaitable<Hex | null>;
  /** The same, made if there is none. */
  makeLogSeed(args: { readonly log: string; readonly generation: number }): Awaitable<Hex>;
  /** Size and root of the newest head of a log that was signed, if any. */
  lastSigned(args: { readonly log: string }): Awaitable<{ readonly size: number; readonly root: Hex } | null>;
  /**
   * Remembers, durably, that a head is about to be signed. Refuses, with a `ConflictError` of code `log_rolled_back`,
   * a smaller size than the last one, and another root for the same size.
   */
  recordSigned(args: { readonly log: string; readonly size: number; readonly root: Hex }): Awaitable<void>;
}

/** Somebody who signs that logs only grow, as a C2SP tlog-witness does. */
export interface Witness {
  /** Its key, as a C2SP verifier key. */
  readonly verifierKey: string;
  /** Signs a checkpoint if a consistency proof leads there from the one that it signed last; else says which that was. */
  cosign(request: {
    readonly old_size: number;
    readonly proof: readonly Hex[];
    readonly checkpoint: string;
  }): Awaitable<{ readonly signed: string } | { readonly signed_last: number }>;
}

/** A checkpoint on its way to an anchor. */
export interface AnchorSubmission {
  /** The log's name, as its checkpoints carry it. */
  readonly origin: string;
  /** How many leaves it has. */
  readonly size: number;
  /** Its root over that many leaves. */
  readonly root: Hex;
  /** The signed checkpoint, as a note. */
  readonly checkpoint: string;
}

/** Keeps the roots of logs where their operator cannot change them, such as a chain. */
export interface Anchor {
  /** The same for as long as it is the same place, such as `eip155:56/0x52cd…`. */
  readonly name: string;
  /** Submits checkpoints, and says for each, in their order, under which ticket it was taken, or why it was not. */
  submit(args: {
    readonly batch: readonly AnchorSubmission[];
  }): Awaitable<ReadonlyArray<{ readonly ticket: string } | { readonly error: ErrorReport }>>;
  /** What became of a checkpoint that was taken under this ticket; what verified carries is the evidence. */
  check(args: {
    readonly submission: AnchorSubmission;
    readonly ticket: string;
  }): Awaitable<"waiting" | "lost" | { readonly verified: unknown }>;
  /** The largest size that it keeps of a log, with its root. */
  newest(args: { readonly origin: string }): Awaitable<{ readonly size: number; readonly root: Hex } | null>;
}

/** Keeps the answers of models for a while, as well as it can. */
export interface Cache {
  /** How many bytes of values it keeps at the most; left out where something else sees to that. */
  readonly limitBytes?: number;
  /** The value under a key, if it is still there. */
  get(args: { readonly key: Hex }): Awaitable<Hex | null>;
  /** Keeps a value under a key for so long. */
  put(args: { readonly key: Hex; readonly value: Hex; readonly ttl_ms: number }): Awaitable<void>;
}

/** Where a witness that speaks HTTP is, and the key that it signs with. */
export interface WitnessAt {
  /** Its address. */
  readonly url: string;
  /** Its C2SP verifier key. */
  readonly verifierKey: string;
}

/** What of a runtime's options is written in JavaScript. */
export interface PortOptions {
  /** A store of your own, instead of the one at the URL. */
  readonly store?: Store;
  /** Who holds the keys beside a store of your own. Default: they are in memory, and end with the process. */
  readonly keys?: Keys;
  /** Who signs that the logs only grow: of your own, or over HTTP. */
  readonly witnesses?: ReadonlyArray<Witness | WitnessAt>;
  /** Places beyond this process's reach that keep the roots of the logs. */
  readonly anchors?: readonly Anchor[];
  /** Keeps the answers of models, and gives them again to the same request: `true` for one in memory. */
  readonly cache?: boolean | Cache;
  /** How long an answer is good. Default: an hour. */
  readonly cacheTtlMs?: number;
}

const KEYS = [
  "subject_key",
  "existing_subject_key",
  "destroy_subject_key",
  "log_seed",
  "later_log_seed",
  "make_log_seed",
  "last_signed",
  "record_signed",
];

/** Puts the objects into the table, and gives what the engine is told of them. @internal */
export function portParts(bridge: Bridge, options: PortOptions): object {
  const { store, keys, witnesses = [], anchors = [], cache, cacheTtlMs } = options;
  if (keys !== undefined && store === undefined) {
    throw new InputError("expected `keys` only beside a `store` of your own: the store at a URL has its own", {
      code: "options_malformed",
    });
  }
  const put = (object: object, methods: readonly string[]): number => bridge.put(portObject(object, methods));
  return present({
    store: store && {
      object: bridge.put({ methods: storeMethods(store), stated }),
      promises: present({ durability: store.durability, at_rest: store.atRest, shared: store.shared }),
    },
    keys: keys && put(keys, KEYS),
    witnesses: witnesses
      .filter((witness): witness is Witness => "cosign" in witness)
      .map((witness) => ({ object: put(witness, ["cosign"]), verifier_key: witness.verifierKey })),
    anchors: anchors.map((anchor) => ({ object: put(anchor, ["submit", "check", "newest"]), name: anchor.name })),
    cache:
      cache === undefined || cache === false
        ? undefined
        : present({
            object: cache === true ? undefined : put(cache, ["get", "put"]),
            limit_bytes: cache === true ? undefined : cache.limitBytes,
            ttl_ms: cacheTtlMs ?? 3_600_000,
          }),
  });
}

/** An object whose methods have the names of a port's, written as JavaScript writes them. */
function portObject(object: object, names: readonly string[]): HostObject {
  const methods = names.map((name): [string, Method] => {
    const own = name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    const call = async (args: unknown): Promise<string> =>
      toJson(await (object as Record<string, (args: unknown) => unknown>)[own]?.(args));
    return [name, call];
  });
  return { methods: Object.fromEntries(methods), stated };
}

/** Every method of a store is the same one. */
function storeMethods(store: Store): Readonly<Record<string, Method>> {
  const asked =
    (method: string): Method =>
    async (args) =>
      toJson(await store.call(method, args));
  return new Proxy({} as Record<string, Method>, { get: (_, method) => asked(String(method)) });
}

function stated(thrown: unknown): ReturnType<typeof errorData> | undefined {
  return thrown instanceof NfaError ? errorData(thrown) : undefined;
}
