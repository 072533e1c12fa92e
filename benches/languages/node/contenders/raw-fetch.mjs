// The floor: the loop over fetch that somebody would write by hand.

import { INSTRUCTIONS, MODEL } from "./words.mjs";

const TOOLS = [
  {
    type: "function",
    function: {
      name: "add",
      description: "Adds two integers.",
      parameters: {
        type: "object",
        properties: { a: { type: "integer" }, b: { type: "integer" } },
        required: ["a", "b"],
        additionalProperties: false,
      },
    },
  },
];

const add = async ({ a, b }) => a + b;

export class Contender {
  async open(workload) {
    this.tools = workload === "three_tool_rounds" ? { tools: TOOLS } : {};
    this.sessions = new Map();
  }

  answer(question) {
    return this.#loop([system(), user(question)]);
  }

  async #loop(messages) {
    for (;;) {
      const response = await post({ model: MODEL, messages, ...this.tools });
      const { message } = (await response.json()).choices[0];
      messages.push(message);
      if (!message.tool_calls?.length) return message.content;
      for (const call of message.tool_calls) {
        const result = await add(JSON.parse(call.function.arguments));
        messages.push({ role: "tool", tool_call_id: call.id, content: String(result) });
      }
    }
  }

  async stream(question) {
    const messages = [system(), user(question)];
    const response = await post({ model: MODEL, messages, stream: true });
    let text = "";
    let pieces = 0;
    let rest = "";
    for await (const bytes of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + bytes).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (!line.startsWith("data: ") || line.startsWith("data: [DONE]")) continue;
        for (const choice of JSON.parse(line.slice(6)).choices) {
          if (choice.delta.content) {
            text += choice.delta.content;
            pieces++;
          }
        }
      }
    }
    return { text, pieces };
  }

  remember(session, question) {
    const messages = this.sessions.get(session) ?? [system()];
    this.sessions.set(session, messages);
    messages.push(user(question));
    return this.#loop(messages);
  }

  async close() {}
}

async function post(body) {
  const response = await fetch(`${process.env.OPENAI_BASE_URL}/chat/completions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${process.env.OPENAI_API_KEY}`,
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response;
}

const system = () => ({ role: "system", content: INSTRUCTIONS });
const user = (content) => ({ role: "user", content });
