// Packs what is published into `build/pack`: the package, and the one with this platform's binary, each as a tarball.
//
//   node scripts/build.mjs --release && node scripts/pack.mjs

import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = join(root, "build/pack");
const stage = join(out, "nfa-runtime");
const require = createRequire(import.meta.url);

rmSync(out, { recursive: true, force: true });
mkdirSync(stage, { recursive: true });

// What users get is what is built, without the binary and without what only developers need.
const isBinary = (path) => path.endsWith(".node") || path.endsWith(".node.new");
cpSync(join(root, "dist"), join(stage, "dist"), { recursive: true, filter: (path) => !isBinary(path) });
for (const name of ["README.md", "docs"]) {
  if (existsSync(join(root, name))) cpSync(join(root, name), join(stage, name), { recursive: true });
}
const licences = ["LICENSE-APACHE", "LICENSE-MIT"];
const copyLicences = (folder) =>
  licences.forEach((name) => copyFileSync(join(root, "../..", name), join(folder, name)));
copyLicences(stage);
const { devDependencies: _, scripts: __, ...manifest } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
writeManifest(manifest);

// napi's own command lays out a package for each platform.
const cli = join(require.resolve("@napi-rs/cli/package.json"), "../dist/cli.js");
execFileSync(process.execPath, [cli, "create-npm-dirs", "--cwd", stage], { stdio: "pipe" });
const platforms = readdirSync(join(stage, "npm"));
const named = (platform) => JSON.parse(readFileSync(join(stage, "npm", platform, "package.json"), "utf8"));
const optional = platforms.map((platform) => [named(platform).name, named(platform).version]);
const { napi: ___, ...published } = manifest;
writeManifest({ ...published, optionalDependencies: Object.fromEntries(optional.sort()) });
pack(stage);

for (const platform of platforms) {
  const file = `nfa-runtime.${platform}.node`;
  if (!existsSync(join(root, "dist", file))) continue;
  const folder = join(stage, "npm", platform);
  copyFileSync(join(root, "dist", file), join(folder, file));
  copyLicences(folder);
  pack(folder);
}

function writeManifest(content) {
  writeFileSync(join(stage, "package.json"), `${JSON.stringify(content, null, 2)}\n`);
}

function pack(folder) {
  const args = ["pack", folder, "--pack-destination", out, "--ignore-scripts", "--silent"];
  process.stdout.write(execFileSync("npm", args, { shell: process.platform === "win32" }));
}
