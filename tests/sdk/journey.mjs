// One call by OpenAI's SDK for JavaScript; prints what came of it as a line of JSON.
import OpenAI from "openai";

const [what, model, fields] = [process.argv[2], process.argv[3], JSON.parse(process.argv[4] ?? "{}")];
let requests = 0;
const client = new OpenAI({
  baseURL: process.env.BASE_URL,
  apiKey: process.env.KEY,
  maxRetries: Number(process.env.MAX_RETRIES ?? 2),
  fetch: (...given) => {
    requests += 1;
    return fetch(...given);
  },
});
const ask = (more) =>
  client.chat.completions.create({ model, messages: [{ role: "user", content: "Hi" }], ...fields, ...more });

const calls = {
  async chat() {
    return await ask();
  },
  async stream() {
    const chunks = [];
    for await (const chunk of await ask({ stream: true })) {
      chunks.push({ delta: chunk.choices[0].delta, usage: chunk.usage ?? null });
    }
    return chunks;
  },
  async models() {
    const ids = [];
    for await (const found of client.models.list()) ids.push(found.id);
    return ids;
  },
};

try {
  console.log(JSON.stringify({ value: await calls[what](), requests }));
} catch (error) {
  const { name, status, code, param } = error;
  console.log(JSON.stringify({ error: { class: error.constructor.name, name, status, code, param }, requests }));
}
