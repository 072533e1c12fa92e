// Looks at a run: journal STORE RUN; verify FILE KEY.
import { readFile } from "node:fs/promises";

import { Runtime } from "../package.mjs";

async function journal(store, run) {
  const runtime = await Runtime.open(store);
  const found = await runtime.canonicalJournal(run);
  await runtime.close();
  return { journal: found };
}

async function verify(file, key) {
  const bundle = JSON.parse(await readFile(file, "utf8"));
  try {
    return { report: Runtime.verify(bundle, { logKeys: [key] }) };
  } catch (error) {
    return { code: error.code, verdict: error.details.verdict };
  }
}

const [what, ...rest] = process.argv.slice(2);
console.log(JSON.stringify(await { journal, verify }[what](...rest)));
