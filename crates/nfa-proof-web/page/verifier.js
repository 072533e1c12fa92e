// The page around the verifier: reads the form, asks about the file, and shows the answer.
// What a bundle says comes from strangers: it becomes text nodes, and nothing here parses markup.
"use strict";

const at = (id) => document.getElementById(id);

/** An element with children, which are elements or text. */
function el(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Characters that are not seen, or that reorder what is seen; a line's end and a tab are neither. */
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb]|[\u{e0000}-\u{e0fff}]/gu;

/** Text in which nothing is hidden or reordered: such characters are written as their number. */
function shown(text) {
  return String(text).replace(HIDDEN, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

/** The same for JSON, in JSON's own escapes: it still says what it said. */
function shownJson(json) {
  const unit = (_, at, all) => `\\u${all.charCodeAt(at).toString(16).padStart(4, "0")}`;
  return json.replace(HIDDEN, (character) => character.replace(/[^]/g, unit));
}

// --- the verifier

/** The worker's program, as the only address from which this page may start one. */
const program = (() => {
  const url = URL.createObjectURL(new Blob([at("worker").textContent], { type: "text/javascript" }));
  // Where the browser has no such policies, there is nothing to ask.
  return globalThis.trustedTypes?.createPolicy("verifier", { createScriptURL: () => url }).createScriptURL("") ?? url;
})();

let working = null;

/** Ends what is being verified; its answer is never given. */
function stop() {
  working?.terminate();
  working = null;
}

/** Asks the verifier, beside the page: a huge bundle does not hold it up. The answer is its JSON. */
function verify(file, policy) {
  stop();
  const worker = new Worker(program);
  working = worker;
  const answered = new Promise((resolve, reject) => {
    worker.onmessage = ({ data: { json, error } }) => error === undefined ? resolve(json) : reject(new Error(error));
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message ?? "the verifier did not start"));
    };
    worker.postMessage({ module: at("module").textContent, file, policy });
  });
  return answered.finally(() => worker.terminate());
}

// --- the form

const lines = (id) => at(id).value.split("\n").map((line) => line.trim()).filter(Boolean);

/** What the form says is no policy. */
class PolicyError extends Error {}

/** The policy of the form, as the module reads it. */
function policy() {
  const cutoffs = lines("cutoffs").map((line) => {
    const [key, size, ...more] = line.split(/\s+/);
    if (more.length > 0 || !/^\d{1,15}$/.test(size ?? "")) {
      throw new PolicyError(`A key that no longer counts needs a size after it: “${line}”.`);
    }
    return { key, size: Number(size) };
  });
  const asked = { log_keys: lines("log-keys"), witnesses: lines("witnesses"), cutoffs };
  const required = at("required");
  if (!required.validity.valid || Number(required.value) > 1e6) {
    throw new PolicyError("How many witnesses must have signed is not a whole number.");
  }
  if (required.value !== "") asked.witnesses_required = Number(required.value);
  return asked;
}

// --- the verdict

const HEADLINES = {
  none: "Checking",
  valid: "Valid",
  policy_unmet: "Not verified: your policy is unmet",
  invalid: "Invalid",
  unreadable: "Cannot be read",
  policy: "Your policy cannot be read",
  broken: "The verifier failed",
};

/** How far the checks came before the policy stopped them. */
const POLICY = {
  log_key_unknown: "The bundle was not checked further: without a key for its log, nothing in it can be believed. ",
  log_signature_missing: "The bundle agrees with itself, but nobody whom you trust signed it. ",
  log_key_cut_off: "The bundle agrees with itself, but the key that signed it no longer counts. ",
  witnesses_missing: "The bundle is valid under your log's key, but fewer witnesses signed than you ask for. ",
};

function verdictOf(answer) {
  if (answer.code === undefined) {
    const { leaves, log } = answer;
    const many = leaves.length === 1 ? "1 leaf" : `${leaves.length} leaves`;
    return ["valid", `${many} of the log ${log.origin}, signed by a key that you trust. Read below what that does not prove.`];
  }
  switch (answer.details?.verdict) {
    case "invalid":
      return ["invalid", `What it claims is false: ${answer.message}.`];
    case "policy_unmet":
      return ["policy_unmet", `${POLICY[answer.code] ?? ""}The verifier says: ${answer.message}.`];
    case "unreadable":
      return ["unreadable", `This is no bundle that this verifier knows, or it is damaged: ${answer.message}.`];
    case undefined:
      return [answer.category === "input" ? "policy" : "broken", `${answer.message}.`];
    default:
      return ["broken", `${answer.message}.`];
  }
}

function show(verdict, sentence, code, json, report) {
  const parts = report === null ? [] : sections(report);
  at("headline").textContent = HEADLINES[verdict];
  at("sentence").textContent = shown(sentence);
  at("code").textContent = code === null ? "" : `Code: ${shown(code)}`;
  at("code").hidden = code === null;
  at("report").replaceChildren(...parts);
  at("json").textContent = shownJson(json ?? "");
  at("raw").hidden = json === null;
  at("verdict").dataset.verdict = verdict;
  // Last: whoever waits for a verdict finds the page done.
  if (verdict !== "none") at("verdict").dataset.serial = String(Number(at("verdict").dataset.serial) + 1);
}

// --- the report

function card(title, ...children) {
  return el("section", { className: "card" }, el("h2", {}, title), ...children);
}

function list(className, texts) {
  return el("ul", { className }, ...texts.map((text) => el("li", {}, shown(text))));
}

/** Terms and what they are; a pair whose value is null is left out. */
function terms(...pairs) {
  const known = pairs.filter(([, value]) => value !== null);
  return el("dl", {}, ...known.flatMap(([term, value, mono]) => [
    el("dt", {}, term),
    el("dd", { className: mono ? "mono" : "" }, shown(value)),
  ]));
}

function sections(report) {
  return [
    card("What is proved", list("proved", report.proved)),
    card("What is not proved", list("not", report.not_proved)),
    card("By whom, and as of when", ...signers(report)),
    ...report.leaves.map((leaf) => leafCard(leaf, report.leaves.length <= 20)),
    ...(report.gaps.length > 0 ? [card("Not in this bundle", list("", report.gaps.map(gap)))] : []),
    ...report.anchors.map(anchorCard),
  ];
}

function signers({ log, witnesses }) {
  const key = log.keys.find(({ key }) => key === log.key);
  const dated = witnesses.filter(({ time }) => time !== null).sort((a, b) => a.time_s - b.time_s);
  return [terms(
    ["Log", log.origin, true],
    ["Signed by", log.key, true],
    ["Trusted", key?.introduced_by == null ? "You gave the key." : `Named in leaf ${key.introduced_by} by a key before it.`],
    ["Cut off", key?.cutoff == null ? null : `Counts below ${key.cutoff} leaves only.`],
    ["As of", dated.length > 0
      ? `${dated[0].time} at the latest, by the clock of its earliest witness.`
      : "Unknown: no witness of yours dates the checkpoint. The times of the leaves are the recorder's own."],
    ...witnesses.map(({ key, time }) => ["Witness", time === null ? key : `${key} at ${time}`, true]),
    ["Size", `${log.size} leaves`],
    ["Root", `${log.root} (${log.hasher})`, true],
  )];
}

function gap({ session, first, last }) {
  return `Numbers ${first} to ${last} of session ${session}.`;
}

/** A value of a stranger's, as text in a box of its own. */
function value({ name, encoding, text, base64 }, place = "") {
  const note = text === undefined ? " (base64)" : text === "" ? " (empty)" : encoding === "text" ? "" : ` (${encoding})`;
  const label = `${place}${shown(name)}`;
  return [
    el("p", { className: "field" }, label, el("span", {}, shown(note))),
    el("pre", { className: "value", tabIndex: 0, ariaLabel: label }, shown(text ?? base64 ?? "")),
  ];
}

function names(title, fields) {
  if (fields.length === 0) return [];
  return [el("h3", {}, title), el("p", { className: "mono" }, shown(fields.map(({ name }) => name).join(", ")))];
}

/** A leaf; one that is closed is filled when it is opened, since there may be a thousand. */
function leafCard(leaf, open) {
  const card = el("details", { className: "card leaf", open }, el("summary", {}, `Leaf ${leaf.index}: ${shown(leaf.kind)}`));
  if (open) card.append(...leafBody(leaf));
  else card.addEventListener("toggle", () => card.append(...leafBody(leaf)), { once: true });
  return card;
}

function leafBody(leaf) {
  const cause = leaf.parent_index !== null ? `leaf ${leaf.parent_index}`
    : leaf.parent !== null ? `leaf ${leaf.parent}, which is not here` : null;
  const values = [
    ...leaf.disclosed.flatMap((field) => value(field)),
    ...leaf.context.flatMap((part) => value(part, `step ${part.step}, part ${part.part}: `)),
  ];
  return [
    terms(
      ["Recorded", `${leaf.time}, by the recorder's clock`],
      ["Number", `${leaf.sequence} of its session`],
      ["Caused by", cause],
      ["Run", leaf.run, true],
      ["Session", leaf.session, true],
      ["Agent", leaf.agent, true],
      ["Id", leaf.id, true],
    ),
    ...(values.length > 0 ? [el("h3", {}, "Disclosed: recorded so, to the byte"), ...values] : []),
    ...names("Erased, says the exporter", leaf.erased),
    ...names("Hidden: recorded, and not shown", leaf.hidden),
  ];
}

function anchorCard({ kind, anchored }) {
  if (!anchored) {
    return card("Anchor", terms(["Kind", kind], ["Checked", "No: this verifier does not know the kind."]));
  }
  return card("Anchor: ask the chain for it", terms(
    ["Kind", kind],
    ["Chain", anchored.chain_id],
    ["Contract", anchored.contract, true],
    ["Token", anchored.token_id, true],
    ["Root", anchored.tree_root, true],
    ["Covers", `the first ${anchored.size} leaves`],
    ["Younger", anchored.not_covered.length > 0 ? `leaves ${anchored.not_covered.join(", ")}` : null],
  ));
}

// --- what happens when

let chosen = null;
let asked = 0;

async function check() {
  if (chosen === null) return;
  const mine = ++asked;
  stop();
  // No verdict outlives its question, whatever happens next.
  show("none", "The verifier is at work.", null, null, null);
  try {
    const json = await verify(chosen, policy());
    // A later question has the word.
    if (mine !== asked) return;
    const answer = JSON.parse(json);
    const report = answer.code === undefined ? answer : null;
    show(...verdictOf(answer), answer.code ?? null, json, report);
  } catch (error) {
    if (mine !== asked) return;
    if (error instanceof PolicyError) show("policy", error.message, null, null, null);
    else show("broken", `${error}. That is no verdict on the bundle.`, null, null, null);
  }
}

function choose(file) {
  if (!file) return;
  chosen = file;
  at("file").textContent = `${shown(file.name)}: ${file.size} bytes`;
  at("file").hidden = false;
  check();
}

at("bundle").addEventListener("change", (event) => choose(event.target.files[0]));
// So that the same file, changed meanwhile, can be chosen again.
at("bundle").addEventListener("click", (event) => { event.target.value = ""; });
at("form").addEventListener("change", (event) => event.target !== at("bundle") && check());
at("form").addEventListener("submit", (event) => event.preventDefault());

const over = (event) => {
  event.preventDefault();
  document.body.classList.toggle("over", event.type === "dragover");
};
for (const type of ["dragover", "dragleave", "drop"]) addEventListener(type, over);
addEventListener("drop", ({ dataTransfer: { files } }) => {
  if (files.length === 0) return;
  at("bundle").files = files;
  choose(files[0]);
});
