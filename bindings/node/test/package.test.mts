/** What is published: packed as napi's CLI lays it out, judged by publint and arethetypeswrong, installed as a user would. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { before, test } from "node:test";

import { ConfigurationError, NativeBindingError } from "nfa-runtime";

import { packageRoot, scratch } from "./support/paths.mjs";

const packed = join(packageRoot, "build/pack");
const require = createRequire(import.meta.url);
const tool = (path: string): string => join(packageRoot, "node_modules", path);
const node = (...args: readonly string[]): ReturnType<typeof spawnSync> =>
  spawnSync(process.execPath, args, { encoding: "utf8", cwd: packageRoot });

let main: string;
let binary: string;

before(() => {
  const made = execFileSync(process.execPath, [join(packageRoot, "scripts/pack.mjs")], { encoding: "utf8" });
  const names = made.trim().split("\n");
  assert.equal(names.length, 2, made);
  [main, binary] = names.map((name) => join(packed, name)) as [string, string];
});

test("publint finds nothing to say about the tarball", () => {
  const { status, stdout, stderr } = node(tool("publint/src/cli.js"), "--strict", main);
  assert.equal(status, 0, `${stdout}${stderr}`);
});

test("arethetypeswrong finds no problem in the tarball", () => {
  const { status, stdout, stderr } = node(tool("@arethetypeswrong/cli/dist/index.js"), main);
  assert.equal(status, 0, `${stdout}${stderr}`);
});

test("nothing runs or downloads at install, and a package for each platform is optional", () => {
  const manifest = JSON.parse(readFileSync(join(packed, "nfa-runtime/package.json"), "utf8"));
  assert.equal(manifest.scripts, undefined);
  assert.equal(manifest.dependencies, undefined);
  assert.equal(manifest.engines.node, ">=20");
  const platforms = readdirSync(join(packed, "nfa-runtime/npm"));
  assert.deepEqual(
    Object.keys(manifest.optionalDependencies),
    platforms.map((platform) => `nfa-runtime-${platform}`).sort(),
  );
  for (const platform of platforms) {
    const own = JSON.parse(readFileSync(join(packed, "nfa-runtime/npm", platform, "package.json"), "utf8"));
    assert.equal(manifest.optionalDependencies[own.name], own.version);
    assert.equal(own.scripts, undefined);
    assert.ok(own.os.length === 1 && own.cpu.length === 1);
    assert.equal(platform.startsWith("linux"), own.libc !== undefined);
    assert.deepEqual(own.files, [`nfa-runtime.${platform}.node`]);
  }
  const files = execFileSync("tar", ["tzf", main], { encoding: "utf8" });
  assert.doesNotMatch(files, /\.node$|test|\.ts\.map|package\/ts\//m);
});

test("installed outside the repository it runs, as ESM, as CommonJS and under a strict compiler", () => {
  using home = scratch();
  writeFileSync(home.at("package.json"), '{ "private": true, "type": "module" }');
  const npm = spawnSync("npm", ["install", "--offline", "--no-audit", "--no-fund", main, binary], {
    cwd: home.path,
    encoding: "utf8",
    env: { ...process.env, npm_config_cache: home.at("cache") },
  });
  assert.equal(npm.status, 0, `${npm.stdout}${npm.stderr}`);
  const program = `
    const answer = { message: { role: "assistant", parts: [{ type: "text", text: "hello" }] }, finish: "stop" };
    const helper = agent({ name: "helper", model: { name: "test/fixed", generate: () => answer } });
    Runtime.open("sqlite:agents.db").then(async (rt) => {
      console.log(await rt.run(helper, "go").output());
      await rt.close();
    });
  `;
  writeFileSync(home.at("esm.mjs"), `import { agent, Runtime } from "nfa-runtime";${program}`);
  writeFileSync(home.at("cjs.cjs"), `const { agent, Runtime } = require("nfa-runtime");${program}`);
  for (const file of ["esm.mjs", "cjs.cjs"]) {
    const ran = spawnSync(process.execPath, [file], { cwd: home.path, encoding: "utf8" });
    assert.equal(ran.stdout, "hello\n", ran.stderr);
  }

  mkdirSync(home.at("node_modules/@types"), { recursive: true });
  symlinkSync(tool("@types/node"), home.at("node_modules/@types/node"));
  symlinkSync(tool("undici-types"), home.at("node_modules/undici-types"));
  symlinkSync(tool("zod"), home.at("node_modules/zod"));
  const source = `
    import { agent, Runtime, tool } from "nfa-runtime";
    import { z } from "zod";
    const weather = tool({ name: "w", input: z.object({ city: z.string() }), run: ({ city }) => city.length });
    const Answer = z.object({ rain: z.boolean() });
    export async function main(): Promise<boolean> {
      await using rt = await Runtime.open();
      const run = rt.run(agent({ name: "a", model: "openai/x", tools: [weather], output: Answer }), "go");
      for await (const event of run) if (event.type === "text_delta") process.stdout.write(event.text);
      const { output } = await run.outcome();
      return output.rain;
    }
  `;
  for (const [files, module] of [
    [["main.mts", "main.cts"], "node16"],
    [["bundled.ts"], "preserve"],
  ] as const) {
    for (const file of files) writeFileSync(home.at(file), source);
    const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,esnext.disposable"];
    const compiled = spawnSync(
      process.execPath,
      [require.resolve("typescript/bin/tsc"), ...files, ...options, "--module", module, "--types", "node"],
      { cwd: home.path, encoding: "utf8" },
    );
    assert.equal(compiled.status, 0, `${files}: ${compiled.stdout}${compiled.stderr}`);
  }
});

test("where no binary fits, the error says so: platform, what was tried, and what to do", async () => {
  const { load } = require(join(packageRoot, "dist/loader.js")) as {
    load(place: { platform: string; arch: string }, from: (name: string) => unknown): unknown;
  };
  const nothing = (name: string): never => {
    throw Object.assign(new Error(`Cannot find module '${name}'`), { code: "MODULE_NOT_FOUND" });
  };
  const failure = (platform: string, arch: string, from = nothing): NativeBindingError => {
    try {
      load({ platform, arch }, from);
    } catch (error) {
      assert.ok(error instanceof NativeBindingError && error instanceof ConfigurationError);
      assert.equal(error.name, "NativeBindingError");
      assert.deepEqual([error.code, error.platform, error.arch], ["native_binding_missing", platform, arch]);
      return error;
    }
    assert.fail("it loaded");
  };
  const unknown = failure("sunos", "sparc");
  assert.match(unknown.message, /sunos sparc; there are binaries for linux-x64-gnu, .* build `bindings\/node`/);
  assert.deepEqual(unknown.tried, []);

  const missing = failure("linux", "x64");
  assert.match(missing.message, /linux x64 \(glibc\); install `nfa-runtime-linux-x64-gnu`.*--omit=optional/);
  assert.deepEqual(
    missing.tried.map(({ from }) => from),
    [
      "./nfa-runtime.linux-x64-gnu.node",
      "./nfa-runtime.linux-x64-musl.node",
      "nfa-runtime-linux-x64-gnu",
      "nfa-runtime-linux-x64-musl",
    ],
  );

  const broken = failure("darwin", "arm64", (name) => {
    throw new Error(`dlopen(${name}): wrong architecture\nmore`);
  });
  assert.match(broken.message, /darwin arm64; a binary was found and did not load/);
  assert.equal(broken.tried[0]?.reason, "dlopen(./nfa-runtime.darwin-arm64.node): wrong architecture");

  const module = {};
  const loaded = load({ platform: "linux", arch: "x64" }, (name) => {
    if (name === "nfa-runtime-linux-x64-musl") return module;
    return nothing(name);
  });
  assert.equal(loaded, module);
});
