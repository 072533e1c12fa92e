/** Where things are. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** `bindings/node`, from `build/test/support`. */
export const packageRoot = join(dirname(fileURLToPath(import.meta.url)), "../../..");

/** A folder that is gone when the test is over. */
export function scratch(): Disposable & { readonly path: string; at(name: string): string } {
  const path = mkdtempSync(join(tmpdir(), "nfa-node-"));
  return {
    path,
    at: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
