/**
 * Finding the native addon of this platform.
 *
 * @module
 */
import { ConfigurationError } from "./errors.js";
import type { NativeModule } from "./native.js";

/** No binary of the engine could be loaded on this platform; `message` says what was tried and what to do. */
export class NativeBindingError extends ConfigurationError {
  static {
    this.prototype.name = "NativeBindingError";
  }

  /** `process.platform`. */
  readonly platform: string;
  /** `process.arch`. */
  readonly arch: string;
  /** `glibc` or `musl` on Linux. */
  readonly libc: "glibc" | "musl" | undefined;
  /** What was tried, and why each failed. */
  readonly tried: ReadonlyArray<{ readonly from: string; readonly reason: string }>;

  /** @internal */
  constructor(place: Place, tried: NativeBindingError["tried"], advice: string) {
    const where = `${place.platform} ${place.arch}${place.libc === undefined ? "" : ` (${place.libc})`}`;
    const list = tried.map(({ from, reason }) => `\n  ${from}: ${reason}`).join("");
    super(`no binary of nfa-runtime could be loaded for ${where}; ${advice}${list}`, {
      code: "native_binding_missing",
      details: { ...place, tried },
    });
    this.platform = place.platform;
    this.arch = place.arch;
    this.libc = place.libc;
    this.tried = tried;
  }
}

/** Where this process runs. */
export interface Place {
  readonly platform: string;
  readonly arch: string;
  readonly libc: "glibc" | "musl" | undefined;
}

/** The packages that may have a binary for a platform and architecture, in the order in which they are tried. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  // Which C library there is shows when one of them loads: asking takes longer.
  "linux-x64": ["linux-x64-gnu", "linux-x64-musl"],
  "linux-arm64": ["linux-arm64-gnu", "linux-arm64-musl"],
  "darwin-x64": ["darwin-x64"],
  "darwin-arm64": ["darwin-arm64"],
  "win32-x64": ["win32-x64-msvc"],
  "win32-arm64": ["win32-arm64-msvc"],
};

const NOT_INSTALLED = "not installed";

/**
 * Loads the addon: the file that `NFA_RUNTIME_BINDING` names, else one beside this file (a build of your own), else
 * the package of this platform.
 *
 * @throws {@link NativeBindingError}
 */
export function load(
  { platform, arch }: { readonly platform: string; readonly arch: string } = process,
  from: (name: string) => unknown = require,
): NativeModule {
  const suffixes = PACKAGES[`${platform}-${arch}`] ?? [];
  const named = process.env["NFA_RUNTIME_BINDING"];
  const names = named
    ? [named]
    : [
        ...suffixes.map((suffix) => `./nfa-runtime.${suffix}.node`),
        ...suffixes.map((suffix) => `nfa-runtime-${suffix}`),
      ];
  const tried: Array<{ from: string; reason: string }> = [];
  for (const name of names) {
    try {
      return from(name) as NativeModule;
    } catch (thrown) {
      const { code, message } = thrown as NodeJS.ErrnoException;
      const missing = code === "MODULE_NOT_FOUND";
      tried.push({ from: name, reason: missing ? NOT_INSTALLED : (String(message).split("\n", 1)[0] ?? "") });
    }
  }
  const place = { platform, arch, libc: platform === "linux" ? libc() : undefined };
  throw new NativeBindingError(place, tried, advice(place, tried));
}

function advice(place: Place, tried: NativeBindingError["tried"]): string {
  const suffixes = PACKAGES[`${place.platform}-${place.arch}`];
  if (suffixes === undefined) {
    const known = Object.values(PACKAGES).flat().join(", ");
    return `there are binaries for ${known}: use one of these platforms, or build \`bindings/node\` from source`;
  }
  if (tried.every(({ reason }) => reason === NOT_INSTALLED)) {
    const fitting = suffixes.find((suffix) => suffix.endsWith("musl") === (place.libc === "musl")) ?? suffixes[0];
    return (
      `install \`nfa-runtime-${fitting}\`, which is an optional dependency: ` +
      "install without `--omit=optional`, and on the platform that it runs on"
    );
  }
  return "a binary was found and did not load";
}

function libc(): "glibc" | "musl" {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime === undefined ? "musl" : "glibc";
}
