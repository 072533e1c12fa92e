// Drives the verifier's page in headless Chromium over the DevTools pipe, and fails at the first
// thing that is not as `browser.rs` expects. No library: the pipe speaks JSON, ended by zeros.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const task = JSON.parse(readFileSync(process.argv[2], "utf8"));
const url = pathToFileURL(task.page).href;

// --- the browser

const browser = spawn(task.chromium, [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
  "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--disable-default-apps", "--host-resolver-rules=MAP * ~NOTFOUND",
  `--user-data-dir=${task.profile}`, "--remote-debugging-pipe", "about:blank",
], { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"] });

let words = "";
browser.stderr.on("data", (data) => { words = (words + data).slice(-4000); });
// Whatever hangs ends here; nothing else waits for time.
const limit = setTimeout(() => fail(new Error("not done after four minutes")), 240_000);
browser.on("error", (error) => fail(error));
browser.on("exit", (code) => process.exitCode === undefined && fail(new Error(`Chromium ended with ${code}`)));

function fail(error) {
  process.exitCode = 1;
  console.error(error, `\nChromium said:\n${words}`);
  browser.kill("SIGKILL");
  process.exit(1);
}

const waiting = new Map();
const listeners = [];
let number = 0;
let buffered = Buffer.alloc(0);
browser.stdio[4].on("data", (data) => {
  buffered = Buffer.concat([buffered, data]);
  for (let end = buffered.indexOf(0); end >= 0; end = buffered.indexOf(0)) {
    const message = JSON.parse(buffered.subarray(0, end).toString());
    buffered = buffered.subarray(end + 1);
    const answer = waiting.get(message.id);
    waiting.delete(message.id);
    if (answer === undefined) listeners.forEach((listen) => listen(message));
    else if (message.error) answer.reject(new Error(`${answer.method}: ${message.error.message}`));
    else answer.resolve(message.result);
  }
});

function send(method, params = {}, sessionId = undefined) {
  const id = ++number;
  browser.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject, method }));
}

/** A tab, every request that it makes, those of them that the network would have got, and its errors.
 * Only its own file is let through. */
async function open(address) {
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const call = (method, params) => send(method, params, sessionId);
  const tab = { call, sessionId, requests: [], sent: [], errors: [], strict: true };
  let loaded;
  const load = new Promise((resolve) => { loaded = resolve; });
  listeners.push(({ method, params, sessionId: from }) => {
    if (from !== sessionId) return;
    // A blob is the page's own memory.
    if (method === "Network.requestWillBeSent" && !params.request.url.startsWith("blob:")) tab.requests.push(params.request.url);
    if (method === "Fetch.requestPaused") {
      tab.sent.push(params.request.url);
      const { requestId } = params;
      const own = params.request.url === address;
      call(...(own ? ["Fetch.continueRequest", { requestId }] : ["Fetch.failRequest", { requestId, errorReason: "Aborted" }]))
        .catch(fail);
    }
    if (method === "Runtime.exceptionThrown") {
      const { exception, text } = params.exceptionDetails;
      tab.errors.push(exception?.description ?? text);
      if (tab.strict) fail(new Error(`the page threw: ${tab.errors.at(-1)}`));
    }
    if (method === "Log.entryAdded" && params.entry.level === "error") tab.errors.push(params.entry.text);
    if (method === "Page.loadEventFired") loaded();
  });
  for (const domain of ["Page", "Runtime", "Network", "Log", "DOM", "Accessibility"]) await call(`${domain}.enable`);
  await call("Fetch.enable", { patterns: [{ urlPattern: "*" }] });
  tab.evaluate = async (expression) => {
    const { result, exceptionDetails } = await call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  await call("Page.navigate", { url: address });
  await load;
  return tab;
}

// --- what a person does

const text = (tab, id) => tab.evaluate(`document.getElementById(${JSON.stringify(id)}).textContent`);

/** Does something, and waits for the verdict that it leads to. */
async function verdictAfter(tab, action) {
  await tab.evaluate(`void (globalThis.next = new Promise((resolve) => {
    const verdict = document.getElementById("verdict");
    new MutationObserver((_, observer) => { observer.disconnect(); resolve(verdict.dataset.verdict); })
      .observe(verdict, { attributeFilter: ["data-serial"] });
  }))`);
  await action();
  return tab.evaluate("globalThis.next");
}

function fill(tab, policy) {
  const values = {
    "log-keys": policy.log_keys.join("\n"),
    witnesses: policy.witnesses.join("\n"),
    required: String(policy.witnesses_required),
    cutoffs: (policy.cutoffs ?? []).map(({ key, size }) => `${key} ${size}`).join("\n"),
  };
  return tab.evaluate(`for (const [id, value] of Object.entries(${JSON.stringify(values)})) document.getElementById(id).value = value`);
}

async function choose(tab, path) {
  await tab.evaluate(`document.getElementById("bundle").value = ""`);
  const { root } = await tab.call("DOM.getDocument");
  const { nodeId } = await tab.call("DOM.querySelector", { nodeId: root.nodeId, selector: "#bundle" });
  await tab.call("DOM.setFileInputFiles", { nodeId, files: [path] });
}

async function press(tab, key) {
  const event = { key, code: key, windowsVirtualKeyCode: { Tab: 9, Enter: 13 }[key] };
  await tab.call("Input.dispatchKeyEvent", { type: "keyDown", ...event });
  await tab.call("Input.dispatchKeyEvent", { type: "keyUp", ...event });
}

const of = (name) => task.cases.find((found) => found.name === name);

const tests = {
  async "each bundle has the verdict, the code and the JSON that it has outside"(tab) {
    const seen = new Set();
    for (const { name, path, policy, expected } of task.cases) {
      await fill(tab, policy);
      const verdict = await verdictAfter(tab, () => choose(tab, path));
      assert.equal(verdict, expected.verdict, name);
      const json = await text(tab, "json");
      if (expected.verdict === "valid") {
        // On the page, invisible characters are escaped once more; JSON reads both alike.
        if (name === "hostile") assert.deepEqual(JSON.parse(json), JSON.parse(expected.json), name);
        else assert.equal(json, expected.json, name);
        assert.equal(await text(tab, "headline"), "Valid", name);
      } else {
        const { code, message } = JSON.parse(json);
        assert.deepEqual([code, message], [expected.code, expected.message], name);
        assert.equal(await text(tab, "code"), `Code: ${code}`, name);
        assert.equal(await text(tab, "report"), "", name);
        assert.doesNotMatch(await text(tab, "headline"), /^valid/i, name);
      }
      seen.add(verdict);
    }
    assert.deepEqual([...seen].sort(), ["invalid", "policy_unmet", "unreadable", "valid"]);
    return `${task.cases.length} bundles`;
  },

  async "a report says what is proved, by whom, as of when, shown, erased, and not proved"(tab) {
    const { path, policy, expected } = of("valid/shown");
    await fill(tab, policy);
    await verdictAfter(tab, () => choose(tab, path));
    const report = JSON.parse(expected.json);
    const page = await text(tab, "report");
    const values = report.leaves.flatMap((leaf) => [...leaf.disclosed, ...leaf.context]).map((field) => field.text ?? field.base64);
    const erased = report.leaves.flatMap((leaf) => leaf.erased).map(({ name }) => name);
    assert.ok(values.length > 5 && erased.length > 0);
    for (const expected of [
      ...report.proved, ...report.not_proved, report.log.key, ...report.witnesses.map(({ time }) => time),
      ...values, ...erased, "Erased, says the exporter", "As of", "What is not proved",
    ]) assert.ok(page.includes(expected), expected);
  },

  async "a changed policy is judged at once"(tab) {
    const { path, policy } = of("valid/shown");
    await fill(tab, { ...policy, log_keys: [] });
    assert.equal(await verdictAfter(tab, () => choose(tab, path)), "policy_unmet");
    const change = (id, value) => () => tab.evaluate(`{
      const field = document.getElementById("${id}");
      field.value = ${JSON.stringify(value)};
      void field.dispatchEvent(new Event("change", { bubbles: true }));
    }`);
    assert.equal(await verdictAfter(tab, change("log-keys", policy.log_keys[0])), "valid");
    assert.equal(await verdictAfter(tab, change("required", "3")), "policy_unmet");
    assert.match(await text(tab, "sentence"), /fewer witnesses/);
    assert.equal(await verdictAfter(tab, change("required", "-1")), "policy");
    assert.equal(await verdictAfter(tab, change("required", "")), "valid");
    assert.equal(await verdictAfter(tab, change("log-keys", "no key")), "policy");
    assert.equal(await verdictAfter(tab, change("log-keys", policy.log_keys[0])), "valid");
    assert.equal(await verdictAfter(tab, change("cutoffs", policy.log_keys[0])), "policy");
    assert.equal(await verdictAfter(tab, change("cutoffs", `${policy.log_keys[0]} 5`)), "policy_unmet");
    assert.equal(await verdictAfter(tab, change("cutoffs", "")), "valid");
  },

  async "a dropped file is taken"(tab) {
    const { path, policy } = of("flipped");
    await fill(tab, policy);
    const data = { items: [], files: [path], dragOperationsMask: 1 };
    const drag = (type) => tab.call("Input.dispatchDragEvent", { type, x: 200, y: 200, data });
    const verdict = await verdictAfter(tab, async () => {
      for (const type of ["dragEnter", "dragOver", "drop"]) await drag(type);
    });
    assert.equal(verdict, "invalid");
  },

  async "what a bundle says is text, and runs nothing"(tab) {
    const { path, policy } = of("hostile");
    await fill(tab, policy);
    assert.equal(await verdictAfter(tab, () => choose(tab, path)), "valid");
    const values = await tab.evaluate(`[...document.querySelectorAll("pre.value")].map((pre) => pre.textContent)`);
    const hidden = (value) => value.replace(/[\u0007\u200b\u202c\u202e]/g, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
    assert.deepEqual(values.sort(), task.hostile.map(hidden).sort());
    assert.ok(values.some((value) => value.includes("\\u{202e}dilav\\u{202c}")));
    assert.equal(await tab.evaluate(`document.querySelectorAll("pre.value *, main script, main img, main iframe, main style").length`), 0);
    assert.equal(await tab.evaluate(`document.querySelectorAll("#headline").length`), 1);
    assert.equal(await tab.evaluate("globalThis.ran === undefined"), true);
    assert.doesNotMatch(await text(tab, "json"), /[\u0007\u200b\u202c\u202e]/);
  },

  async "fields have names, the verdict is announced, and the keyboard reaches everything"(tab) {
    await tab.evaluate(`document.getElementById("more").open = true`);
    const { nodes } = await tab.call("Accessibility.getFullAXTree");
    const role = (node) => node.role?.value;
    const unnamed = nodes.filter((node) => !node.ignored && ["textbox", "spinbutton", "button"].includes(role(node)) && !node.name?.value);
    assert.deepEqual(unnamed.map(role), []);
    const status = nodes.find((node) => role(node) === "status");
    assert.ok(status.properties.some(({ name, value }) => name === "live" && value.value === "polite"));
    const order = [];
    await tab.evaluate(`document.activeElement.blur()`);
    for (let step = 0; step < 7; step += 1) {
      await press(tab, "Tab");
      order.push(await tab.evaluate(`document.activeElement.id || document.activeElement.localName`));
    }
    assert.deepEqual(order, ["log-keys", "summary", "witnesses", "required", "cutoffs", "bundle", "summary"]);
  },

  async "the verifier works beside the page, and a later question ends an earlier one"(tab) {
    // Each worker waits before its first line until it is told to go on.
    const seen = { attachedToTarget: [], detachedFromTarget: [] };
    const awaited = { attachedToTarget: [], detachedFromTarget: [] };
    listeners.push(({ method, params, sessionId }) => {
      const what = method?.replace("Target.", "");
      if (sessionId !== tab.sessionId || !(what in seen)) return;
      const waiting = awaited[what].shift();
      if (waiting) waiting(params.sessionId);
      else seen[what].push(params.sessionId);
    });
    const next = (what) => seen[what].length > 0 ? seen[what].shift() : new Promise((resolve) => awaited[what].push(resolve));
    const attach = (autoAttach) => tab.call("Target.setAutoAttach", { autoAttach, waitForDebuggerOnStart: autoAttach, flatten: true });
    await attach(true);
    const { path, policy } = of("valid/shown");
    await fill(tab, policy);
    await choose(tab, path);
    const first = await next("attachedToTarget");
    assert.equal(await text(tab, "headline"), "Checking");
    assert.equal(await tab.evaluate("6 * 7"), 42, "the page lives");

    const verdict = verdictAfter(tab, () => choose(tab, of("flipped").path));
    const second = await next("attachedToTarget");
    assert.equal(await next("detachedFromTarget"), first);
    const goOn = (worker) => send("Runtime.runIfWaitingForDebugger", {}, worker);
    await goOn(second);
    assert.equal(await verdict, "invalid", "the later question's");
    assert.equal(await next("detachedFromTarget"), second, "it is thrown away");

    // A worker has no more rights than its page, and one that fails gives no verdict.
    const broken = verdictAfter(tab, () => choose(tab, path));
    const third = await next("attachedToTarget");
    await send("Runtime.evaluate", { expression: `
      Object.defineProperty(self, "onmessage", { set() {} });
      addEventListener("securitypolicyviolation", ({ effectiveDirective }) => postMessage({ error: "refused by " + effectiveDirective }));
      addEventListener("message", () => fetch("http://hostile.example/worker").then(() => postMessage({ error: "sent" }), () => {}));
    ` }, third);
    await goOn(third);
    assert.equal(await broken, "broken");
    assert.match(await text(tab, "sentence"), /refused by connect-src\. That is no verdict/);
    await attach(false);
    tab.errors.length = 0;
  },

  async "of a thousand leaves, those that are opened are shown"(tab) {
    const { path, policy } = of("huge");
    await fill(tab, policy);
    assert.equal(await verdictAfter(tab, () => choose(tab, path)), "valid");
    const count = (what) => tab.evaluate(`document.querySelectorAll("${what}").length`);
    assert.deepEqual([await count(".leaf"), await count(".leaf pre")], [task.leaves, 0]);
    await tab.evaluate(`new Promise((resolve) => {
      const leaf = document.querySelectorAll(".leaf")[7];
      leaf.addEventListener("toggle", () => resolve(), { once: true });
      leaf.open = true;
    })`);
    assert.deepEqual(await tab.evaluate(`[...document.querySelectorAll(".leaf pre")].map((pre) => pre.textContent.slice(0, 7))`), ["value 7"]);
  },

  async "a key that a person types counts"(tab) {
    const { path, policy } = of("valid/shown");
    await fill(tab, { ...policy, log_keys: [] });
    assert.equal(await verdictAfter(tab, () => choose(tab, path)), "policy_unmet");
    await tab.evaluate(`document.getElementById("log-keys").focus()`);
    await tab.call("Input.insertText", { text: policy.log_keys[0] });
    assert.equal(await verdictAfter(tab, () => press(tab, "Tab")), "valid");
  },
};

async function main() {
  const tab = await open(url);
  for (const [name, test] of Object.entries(tests)) {
    const note = await test(tab);
    console.log(`ok  ${name}${note ? ` (${note})` : ""}`);
  }
  assert.deepEqual(tab.errors, []);
  for (const seen of [tab.requests, tab.sent]) assert.deepEqual([...new Set(seen)], [url]);
  console.log("ok  nothing was asked of the network");

  // As if somebody had found a way to put markup or a program into the page.
  tab.strict = false;
  const inside = await tab.evaluate(`fetch("http://hostile.example/inside").then(() => "sent", () => "refused")`);
  assert.equal(inside, "refused");
  await assert.rejects(tab.evaluate(`document.body.innerHTML = "<b>"`), /TrustedHTML/);
  await assert.rejects(tab.evaluate(`void new Worker(URL.createObjectURL(new Blob(["1"])))`), /TrustedScriptURL/);
  await assert.rejects(tab.evaluate(`trustedTypes.createPolicy("verifier", { createScriptURL: (url) => url })`), /verifier/);
  await tab.evaluate(`{
    const script = document.createElement("script");
    const image = document.createElement("img");
    image.src = "http://hostile.example/image";
    document.body.append(image);
    try { script.textContent = "globalThis.ran = true"; document.body.append(script); } catch {}
  }`);
  await tab.evaluate(`new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))`);
  assert.equal(await tab.evaluate("globalThis.ran === undefined"), true);
  assert.deepEqual([...new Set(tab.sent)], [url]);
  assert.ok(tab.errors.some((error) => /Content Security Policy/.test(error)), tab.errors.join("\n"));
  console.log("ok  the page's policy refuses what a bundle's author would add");

  // Control: on a page without that policy, the same values do run and fetch, and it is seen here.
  const bare = await open("about:blank?control");
  bare.strict = false;
  const tried = bare.evaluate(`new Promise((resolve) => {
    Object.defineProperty(globalThis, "ran", { set: resolve });
    document.body.innerHTML = ${JSON.stringify(task.hostile.join(""))};
  })`);
  assert.equal(await tried, true);
  for (const what of ["image", "frame", "style"]) {
    assert.ok(bare.sent.includes(`http://hostile.example/${what}`), `${what}: ${bare.sent}`);
  }
  console.log("ok  control: elsewhere the same values run, fetch and are seen");
}

try {
  await main();
  process.exitCode = 0;
  clearTimeout(limit);
  const ended = new Promise((resolve) => browser.once("exit", resolve));
  await send("Browser.close").catch(() => {});
  await ended;
} catch (error) {
  fail(error);
}
