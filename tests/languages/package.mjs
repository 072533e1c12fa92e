// The package under test, wherever it was built.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const entry = pathToFileURL(join(process.env.NFA_NODE_PACKAGE, "dist", "index.mjs"));
export const { agent, FatalToolError, NfaError, Runtime, tool, ToolError } = await import(entry.href);
