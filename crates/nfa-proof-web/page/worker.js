// The verifier in a thread of its own: it gets one question, gives one answer, and is thrown away,
// so that nothing of one bundle is left for the next.
"use strict";

/** Asks the module, which comes in base64; the answer is its JSON. */
async function verify({ module, file, policy }) {
  const bytes = Uint8Array.from(atob(module), (c) => c.charCodeAt(0));
  const wasm = (await WebAssembly.instantiate(bytes, {})).instance.exports;
  // One byte more than a bundle may have is enough to see that it has too many.
  const bundle = new Uint8Array(await file.slice(0, wasm.nfa_max_bundle_bytes() + 1).arrayBuffer());
  const write = (bytes) => {
    const address = wasm.nfa_alloc(bytes.length) >>> 0;
    new Uint8Array(wasm.memory.buffer, address, bytes.length).set(bytes);
    return [address, bytes.length];
  };
  const asked = new TextEncoder().encode(JSON.stringify(policy));
  const answer = wasm.nfa_verify(...write(bundle), ...write(asked)) >>> 0;
  const length = new DataView(wasm.memory.buffer).getUint32(answer, true);
  const json = new Uint8Array(wasm.memory.buffer, answer + 4, length);
  return new TextDecoder("utf-8", { fatal: true }).decode(json);
}

onmessage = async ({ data }) => {
  try {
    postMessage({ json: await verify(data) });
  } catch (error) {
    postMessage({ error: String(error) });
  }
};
