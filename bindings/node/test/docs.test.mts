/** The programs of README and guide, compiled strictly and run against the fake server. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { before, test } from "node:test";

import { run } from "./support/child.mjs";
import { fakeLlm } from "./support/fake.mjs";
import { packageRoot } from "./support/paths.mjs";

interface Program {
  readonly place: string;
  readonly file: string;
  readonly source: string;
  readonly mode: string;
}

const folder = join(packageRoot, "build/docs");
const require = createRequire(import.meta.url);
const pages = ["README.md", ...readdirSync(join(packageRoot, "docs")).map((name) => `docs/${name}`)];
const programs = pages.flatMap(programsOf);

before(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { file, source } of programs) writeFileSync(join(folder, `${file}.mts`), source);
  const options = [
    "--strict",
    "--target",
    "es2022",
    "--module",
    "node16",
    "--outDir",
    folder,
    "--ignoreConfig",
    "--rootDir",
    folder,
  ];
  const files = programs.map(({ file }) => join(folder, `${file}.mts`));
  const lib = ["--lib", "es2023,esnext.disposable", "--types", "node"];
  const compiled = spawnSync(process.execPath, [require.resolve("typescript/bin/tsc"), ...options, ...lib, ...files], {
    cwd: packageRoot,
    encoding: "utf8",
  });
  assert.equal(compiled.status, 0, compiled.stdout);
});

assert.ok(programs.length > 10);

for (const { place, file, mode } of programs) {
  test(`the program at ${place} runs`, async () => {
    await using fake = await fakeLlm(mode);
    process.env["OPENAI_BASE_URL"] = fake.baseUrl;
    process.env["OPENAI_API_KEY"] = "test";
    const { code, stdout, stderr } = await run(join(folder, `${file}.mjs`), [], [], folder);
    assert.equal(code, 0, stderr);
    assert.ok(stdout.trim().length > 0);
  });
}

/** As `xtask` reads pages: each block is a program, and a comment above it may name the mode of the server. */
function programsOf(page: string): Program[] {
  const text = readFileSync(join(packageRoot, page), "utf8");
  const blocks = text.matchAll(/(?:<!-- model: (\S+) -->\s*)?^```ts\n(.*?)^```$/gms);
  return Array.from(blocks, ([, mode, source], at) => ({
    place: `${page}, block ${at + 1}`,
    file: `${page.replace(/\W/g, "-")}-${at + 1}`,
    source: source ?? "",
    mode: mode ?? "one",
  }));
}
