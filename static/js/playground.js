// The Playground: sends the conversation, shows the answer while it streams, can stop it.
const form = document.getElementById("play");
const log = document.getElementById("log");
const prompt = document.getElementById("prompt");
const model = document.getElementById("model");
const buttons = { send: byId("send"), stop: byId("stop"), fresh: byId("new-conversation") };
const state = byId("state");

let messages = []; // what was said so far, in the API's own shape
let running = null; // the AbortController of the answer that streams

function byId(id) {
  return document.getElementById(id);
}

// --- turns -----------------------------------------------------------------

function addTurn(kind) {
  const turn = byId(`turn-${kind}`).content.firstElementChild.cloneNode(true);
  const parts = Object.fromEntries([...turn.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
  log.append(turn);
  byId("log-empty").hidden = true;
  return { turn, ...parts };
}

function showError(parts, message) {
  parts.error.textContent = message;
  parts.error.hidden = false;
}

function isAtEnd() {
  return innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
}

function grow(element, text) {
  const follow = isAtEnd();
  element.append(text);
  if (follow) scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
}

// --- one call --------------------------------------------------------------

function question(text) {
  const system = byId("system").value.trim();
  const temperature = byId("temperature").value;
  const maxTokens = byId("max-tokens").value;
  return {
    model: model.value,
    messages: [...(system ? [{ role: "system", content: system }] : []), ...messages, { role: "user", content: text }],
    ...(temperature && { temperature: Number(temperature) }),
    ...(maxTokens && { max_tokens: Number(maxTokens) }),
  };
}

async function send(text) {
  const body = question(text);
  addTurn("user").text.textContent = text;
  const parts = addTurn("answer");
  parts.model.textContent = body.model;
  const answer = { parts, began: performance.now(), text: "", firstMs: null, usage: null, error: "", isStopped: false };
  begin(parts);
  try {
    await receive(body, answer);
  } catch (problem) {
    answer.isStopped = running.signal.aborted;
    if (!answer.isStopped) answer.error = problem.message || "The connection was lost.";
  }
  end(answer, text);
}

async function receive(body, answer) {
  const response = await fetch(form.action, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-csrftoken": form.elements.csrfmiddlewaretoken.value,
    },
    body: JSON.stringify(body),
    signal: running.signal,
  });
  answer.requestId = response.headers.get("x-request-id");
  answer.parts.demo.hidden = response.headers.get("x-smartoken-demo") !== "true";
  if (!response.ok) throw new Error(await explain(response));
  let isDone = false;
  for await (const data of events(response.body)) {
    if (data === "[DONE]") isDone = true;
    else take(JSON.parse(data), answer);
  }
  if (!isDone && !answer.error) throw new Error("The answer broke off: the connection was lost.");
}

async function explain(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return response.status === 403
      ? "Your session has ended: reload the page and sign in again. Copy your message first."
      : `The site answered with status ${response.status}.`;
  }
}

// The data of each server-sent event. The bytes may be split anywhere, inside a character too.
async function* events(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    rest += decoder.decode(value, { stream: !done });
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = done ? "" : lines.pop();
    for (const line of lines) {
      // Each event of this API is one line; comments begin with a colon.
      if (line.startsWith("data:")) yield line.slice(5).trim();
    }
    if (done) return;
  }
}

function take(chunk, answer) {
  if (chunk.error) answer.error = chunk.error.message;
  if (chunk.usage) answer.usage = chunk.usage;
  const delta = chunk.choices?.[0]?.delta ?? {};
  if (delta.reasoning_content) {
    answer.firstMs ??= performance.now() - answer.began;
    answer.parts.thinking.hidden = false;
    grow(answer.parts.reasoning, delta.reasoning_content);
  }
  if (delta.content) {
    answer.firstMs ??= performance.now() - answer.began;
    answer.text += delta.content;
    grow(answer.parts.text, delta.content);
  }
}

function begin(parts) {
  running = new AbortController();
  parts.turn.setAttribute("aria-busy", "true");
  buttons.send.disabled = buttons.fresh.disabled = true;
  buttons.stop.hidden = false;
  state.textContent = "Answering…";
  prompt.value = "";
}

function end(answer, text) {
  running = null;
  answer.parts.turn.removeAttribute("aria-busy");
  buttons.send.disabled = buttons.fresh.disabled = false;
  buttons.stop.hidden = true;
  buttons.fresh.hidden = false;
  state.textContent = answer.isStopped ? "Stopped" : answer.error ? "Failed" : "Answered";
  if (answer.error) showError(answer.parts, answer.error);
  showFacts(answer);
  if (answer.text) messages.push({ role: "user", content: text }, { role: "assistant", content: answer.text });
  else if (!prompt.value) prompt.value = text; // nothing was answered: what was typed is kept
  prompt.focus({ preventScroll: true });
}

// --- what it cost ----------------------------------------------------------

function dollars(amount) {
  if (amount && amount < 0.01) return "$" + amount.toFixed(9).replace(/0+$/, "");
  return "$" + amount.toFixed(amount && amount < 1 ? 4 : 2);
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`;
}

function showFacts(answer) {
  const { usage } = answer;
  if (!usage && answer.firstMs === null) return; // refused: no record, no charge
  const facts = [];
  if (usage) {
    facts.push(`${usage.prompt_tokens} tokens in, ${usage.completion_tokens} out`);
    if (usage.cost != null) facts.push(dollars(Number(usage.cost)));
  } else if (answer.isStopped) {
    facts.push("stopped: its page shows the charge");
  }
  if (answer.firstMs !== null) facts.push(`first token ${seconds(answer.firstMs)}`);
  facts.push(`total ${seconds(performance.now() - answer.began)}`);
  answer.parts.facts.textContent = facts.join(" · ");
  const link = document.createElement("a");
  link.href = form.dataset.request.replace("00000000-0000-0000-0000-000000000000", answer.requestId);
  link.textContent = "see the request";
  answer.parts.facts.append(" · ", link);
  answer.parts.facts.hidden = false;
}

// --- the page --------------------------------------------------------------

// On a phone the conversation comes first.
if (matchMedia("(max-width: 960px)").matches) byId("more").open = false;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = prompt.value.trim();
  if (running) return;
  if (text) send(text);
  else prompt.focus();
});

prompt.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && running) running.abort();
});

buttons.stop.addEventListener("click", () => running?.abort());

buttons.fresh.addEventListener("click", () => {
  messages = [];
  log.replaceChildren();
  byId("log-empty").hidden = false;
  buttons.fresh.hidden = true;
  state.textContent = "";
  prompt.focus();
});

model.addEventListener("change", () => {
  const { input, output } = model.selectedOptions[0].dataset;
  byId("model-price").textContent = `${input} in, ${output} out per 1M tokens`;
});
