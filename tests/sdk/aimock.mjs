// A provider that nobody here wrote, at an address that it prints; the model id chooses how it behaves.
import { LLMock } from "@copilotkit/aimock";

const text = { content: "Hello from somewhere else. 你好!", usage: { prompt_tokens: 21, completion_tokens: 9, total_tokens: 30 } };
const call = { name: "weather", arguments: '{"city":"Wuhan"}', id: "call_1" };
const fixtures = {
  text: { response: text },
  reasoning: { response: { ...text, reasoning: "Let me think." } },
  tools: { response: { toolCalls: [call] } },
  "small-pieces": { response: text, chunkSize: 1 },
  cut: { response: text, chunkSize: 4, truncateAfterChunks: 3 },
  disconnect: { response: text, chaos: { disconnectRate: 1 } },
  malformed: { response: text, chaos: { malformedRate: 1 } },
  drop: { response: text, chaos: { dropRate: 1 } },
  ratelimit: { response: text, chaos: { rateLimitRate: 1 } },
  silent: { response: text, chaos: { latencyMs: 30000 } },
  stalled: { response: text, chunkSize: 4, streamingProfile: { ttft: 1, tps: 0.05 } },
  refused: { response: { error: { message: "No such thing", type: "invalid_request_error", code: "bad" }, status: 400 } },
};

const mock = new LLMock({ port: 0 });
for (const [model, fixture] of Object.entries(fixtures)) mock.addFixture({ match: { model }, ...fixture });
await mock.start();
console.log(mock.url);
process.stdin.on("end", () => process.exit(0)).resume();
