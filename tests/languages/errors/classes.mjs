// Prints the codes, and the class of each in each category.
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const entry = pathToFileURL(join(process.env.NFA_NODE_PACKAGE, "dist", "index.mjs"));
const nfa = await import(entry.href);
const { codes: table, errorFrom } = nfa;

const CATEGORIES = ["input", "transient", "configuration", "conflict", "cancelled", "internal"];

function made(code, category) {
  const error = errorFrom({ code, category, component: "runtime", message: "no", retryable: false });
  assert.deepEqual([error.code, error.category, error.message], [code, category, "no"]);
  return error;
}

function line(error) {
  const names = [];
  for (let at = Object.getPrototypeOf(error); at !== Error.prototype; at = Object.getPrototypeOf(at)) names.push(at.name);
  return names;
}

const codes = Object.keys(table).sort();
const classes = {};
const lines = {};
for (const code of [...codes, "a_code_of_tomorrow"]) {
  for (const category of CATEGORIES) {
    const error = made(code, category);
    classes[`${code} ${category}`] = error.name;
    lines[error.name] = line(error);
  }
}
const exported = Object.keys(lines)
  .filter((name) => typeof nfa[name] === "function")
  .sort();
console.log(JSON.stringify({ codes, classes, lines, exported }));
