"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.NativeBindingError = void 0;
exports.load = load;
/**
 * Finding the native addon of this platform.
 *
 * @module
 */
const errors_js_1 = require("./errors.js");
/** No binary of the engine could be loaded on this platform; `message` says what was tried and what to do. */
class NativeBindingError extends errors_js_1.ConfigurationError {
    static {
        this.prototype.name = "NativeBindingError";
    }
    /** `process.platform`. */
    platform;
    /** `process.arch`. */
    arch;
    /** `glibc` or `musl` on Linux. */
    libc;
    /** What was tried, and why each failed. */
    tried;
    /** @internal */
    constructor(place, tried, advice) {
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
exports.NativeBindingError = NativeBindingError;
/** The packages that may have a binary for a platform and architecture, in the order in which they are tried. */
const PACKAGES = {
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
function load({ platform, arch } = process, from = require) {
    const suffixes = PACKAGES[`${platform}-${arch}`] ?? [];
    const named = process.env["NFA_RUNTIME_BINDING"];
    const names = named
        ? [named]
        : [
            ...suffixes.map((suffix) => `./nfa-runtime.${suffix}.node`),
            ...suffixes.map((suffix) => `nfa-runtime-${suffix}`),
        ];
    const tried = [];
    for (const name of names) {
        try {
            return from(name);
        }
        catch (thrown) {
            const { code, message } = thrown;
            const missing = code === "MODULE_NOT_FOUND";
            tried.push({ from: name, reason: missing ? NOT_INSTALLED : (String(message).split("\n", 1)[0] ?? "") });
        }
    }
    const place = { platform, arch, libc: platform === "linux" ? libc() : undefined };
    throw new NativeBindingError(place, tried, advice(place, tried));
}
function advice(place, tried) {
    const suffixes = PACKAGES[`${place.platform}-${place.arch}`];
    if (suffixes === undefined) {
        const known = Object.values(PACKAGES).flat().join(", ");
        return `there are binaries for ${known}: use one of these platforms, or build \`bindings/node\` from source`;
    }
    if (tried.every(({ reason }) => reason === NOT_INSTALLED)) {
        const fitting = suffixes.find((suffix) => suffix.endsWith("musl") === (place.libc === "musl")) ?? suffixes[0];
        return (`install \`nfa-runtime-${fitting}\`, which is an optional dependency: ` +
            "install without `--omit=optional`, and on the platform that it runs on");
    }
    return "a binary was found and did not load";
}
function libc() {
    const { header } = process.report.getReport();
    return header?.glibcVersionRuntime === undefined ? "musl" : "glibc";
}
//# sourceMappingURL=loader.js.map