// Builds the package into `dist`: TypeScript by tsc, the ESM entry around it, and the addon by cargo.
//
//   node scripts/build.mjs [--release] [--features LIST] [--library FILE] [--no-native] [--no-ts]
//
// `--library` names an addon that cargo has built already.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const require = createRequire(import.meta.url);

const { values } = parseArgs({
  options: {
    release: { type: "boolean", default: false },
    features: { type: "string" },
    library: { type: "string" },
    "no-native": { type: "boolean", default: false },
    "no-ts": { type: "boolean", default: false },
  },
});

if (!values["no-ts"]) buildTypeScript();
if (!values["no-native"]) place(values.library ?? buildAddon());

function buildTypeScript() {
  mkdirSync(dist, { recursive: true });
  for (const name of readdirSync(dist)) {
    if (!name.includes(".node")) rmSync(join(dist, name), { recursive: true });
  }
  execFileSync(process.execPath, [require.resolve("typescript/bin/tsc"), "-p", root], { stdio: "inherit" });
  // One implementation for both kinds of module, so that there is one of each class and one engine.
  const names = Object.keys(require(join(dist, "index.js"))).sort();
  writeFileSync(
    join(dist, "index.mjs"),
    // Not by `import`: Node would read every file of it twice, to find the names.
    `import { createRequire } from "node:module";\n\nconst nfa = createRequire(import.meta.url)("./index.js");\n\nexport const {\n${names.map((name) => `  ${name},\n`).join("")}} = nfa;\n`,
  );
  writeFileSync(join(dist, "index.d.mts"), 'export * from "./index.js";\n');
}

function buildAddon() {
  const args = ["build", "-p", "nfa-node", "--message-format=json-render-diagnostics"];
  if (values.release) args.push("--release");
  if (values.features) args.push("--features", values.features);
  const out = execFileSync("cargo", args, { cwd: root, stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 });
  const artifact = out
    .toString()
    .split("\n")
    .filter((line) => line.includes('"compiler-artifact"') && line.includes("nfa_node"))
    .map((line) => JSON.parse(line))
    .find((message) => message.target.name === "nfa_node");
  const library = artifact?.filenames.find((name) => /\.(so|dylib|dll)$/.test(name));
  if (library === undefined) throw new Error("cargo told of no library of nfa-node");
  return library;
}

function place(library) {
  mkdirSync(dist, { recursive: true });
  const file = join(dist, `nfa-runtime.${suffix()}.node`);
  // Beside and then over it: a process that has the old file mapped keeps it.
  copyFileSync(library, `${file}.new`);
  rmSync(file, { force: true });
  renameSync(`${file}.new`, file);
}

function suffix() {
  const { platform, arch } = process;
  if (platform === "win32") return `win32-${arch}-msvc`;
  if (platform !== "linux") return `${platform}-${arch}`;
  const glibc = process.report.getReport().header.glibcVersionRuntime !== undefined;
  return `linux-${arch}-${glibc ? "gnu" : "musl"}`;
}
