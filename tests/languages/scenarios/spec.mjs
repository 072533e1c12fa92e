// An agent of the package, made of a scenario's spec.
import { agent } from "../package.mjs";

/** The same members under the names that they have in JavaScript. */
export function camel(members) {
  const entries = Object.entries(members);
  return Object.fromEntries(entries.map(([name, value]) => [name.replace(/_(.)/g, (_, letter) => letter.toUpperCase()), value]));
}

/** The agent of a spec, with those that it names; `tools` are the host's, by name. */
export function agentOf(spec, tools) {
  const known = new Map((spec.agents ?? []).map((inner) => [inner.name, inner]));
  const made = new Map();
  const named = (name) => {
    if (!made.has(name)) made.set(name, one(known.get(name)));
    return made.get(name);
  };
  const one = ({ name, description, instructions, model, tools: uses, handoffs, limits, output, memory }) =>
    agent({
      name,
      description,
      instructions,
      model: typeof model === "string" ? model : { ...model, settings: model.settings && camel(model.settings) },
      tools: uses?.map((use) => {
        if (typeof use === "string") return tools.get(use);
        if ("argv" in use) {
          const { parameters, ...program } = use;
          return { ...camel(program), input: { jsonSchema: parameters } };
        }
        return named(use.agent).asTool({ ownRun: use.own_run ?? false });
      }),
      handoffs: handoffs?.map(named),
      limits: limits && camel(limits),
      output: output && { jsonSchema: output },
      historyRuns: memory?.history?.runs,
    });
  return one(spec);
}
