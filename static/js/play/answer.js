// One answer on the page: reasoning folded apart, Markdown as it streams, and what it cost below.
let answerCount = 0;

class Answer {
  constructor(log, model) {
    this.log = log;
    this.text = "";
    this.reasoning = "";
    this.usage = null;
    this.requestId = "";
    this.began = performance.now();
    this.firstMs = null;
    this.parts = addTurn(log, "answer");
    this.parts.model.textContent = model;
    this.parts.text.id = `answer-${(answerCount += 1)}`;
    this.parts.turn.setAttribute("aria-busy", "true");
    this.drawMs = 0;
    this.waiting = 0;
  }

  readHead(headers) {
    this.requestId = headers.get("x-request-id") ?? "";
    this.parts.demo.hidden = headers.get("x-smartoken-demo") !== "true";
  }

  take(chunk) {
    if (chunk.usage) this.usage = chunk.usage;
    const { content = "", reasoning_content: reasoning = "" } = chunk.choices?.[0]?.delta ?? {};
    if (!content && !reasoning) return;
    this.firstMs ??= performance.now() - this.began;
    if (typeof content === "string") this.text += content;
    if (typeof reasoning === "string") this.reasoning += reasoning;
    this.drawSoon();
  }

  // Once a frame at most; a long text, which takes longer to draw, less often.
  drawSoon() {
    if (this.waiting) return;
    const ready = () => requestAnimationFrame(() => this.waiting && this.draw());
    this.waiting = setTimeout(ready, Math.min(this.drawMs * 4, 400));
  }

  draw() {
    const began = performance.now();
    clearTimeout(this.waiting);
    this.waiting = 0;
    followEnd(this.log, () => {
      showMarkdown(this.parts.text, this.text);
      this.parts.thinking.hidden = !this.reasoning;
      const shown = this.parts.reasoning.textContent.length;
      if (this.reasoning.length > shown) this.parts.reasoning.append(this.reasoning.slice(shown));
      this.parts.count.textContent = `${this.reasoning.length.toLocaleString("en")} characters`;
    });
    this.drawMs = performance.now() - began;
  }

  // `how` is answered, stopped or failed; `error` the CallError of the last.
  end(how, error) {
    this.totalMs = performance.now() - this.began;
    this.draw();
    this.parts.turn.removeAttribute("aria-busy");
    followEnd(this.log, () => {
      if (error) this.showError(error);
      this.showFacts(how);
    });
  }

  showError({ message, code }) {
    const cure = readData("cures")[code];
    this.parts.problem.textContent = message;
    this.parts.code.textContent = code;
    this.parts.cure.textContent = cure?.text ?? "";
    this.parts.error.hidden = false;
    if (cure?.address) this.parts.cure.append(" ", makeLink(cure.address, cure.label));
  }

  showFacts(how) {
    if (how !== "answered" && this.firstMs === null && !this.usage) return; // refused: no record, no charge
    const facts = this.usage ? countTokens(this.usage) : [];
    if (this.usage?.cost != null) facts.push(formatDollars(Number(this.usage.cost)));
    const times = this.firstMs === null ? [] : [`first token ${formatSeconds(this.firstMs)}`];
    times.push(`total ${formatSeconds(this.totalMs)}`);
    this.writeFacts([...facts, ...times]);
    if (!this.usage) this.findCharge(how, times);
  }

  writeFacts(facts) {
    const address = playForm.dataset.request.replace(NO_ID, this.requestId);
    this.parts.facts.replaceChildren(`${facts.join(" · ")} · `, makeLink(address, "see the request"));
    this.parts.facts.hidden = false;
  }

  // An answer that did not end brings no count with it: its record has one as soon as it is settled.
  async findCharge(how, times) {
    this.writeFacts([`${how}: the charge is being settled`, ...times]);
    const charge = await askCharge(this.requestId);
    const words = charge ? `${how}: charged ${charge.charge}, ${charge.tokens}` : `${how}: its page shows the charge`;
    followEnd(this.log, () => this.writeFacts([words, ...times]));
  }
}

function showOldAnswer(log, model, text) {
  const parts = addTurn(log, "answer");
  parts.model.textContent = model;
  parts.text.id = `answer-${(answerCount += 1)}`;
  showMarkdown(parts.text, text);
}

function countTokens(usage) {
  const cached = usage.prompt_tokens_details?.cached_tokens;
  const reasoning = usage.completion_tokens_details?.reasoning_tokens;
  const within = (count, word) => (count ? ` (${count.toLocaleString("en")} ${word})` : "");
  const input = `${usage.prompt_tokens.toLocaleString("en")} tokens in${within(cached, "cached")}`;
  return [`${input}, ${usage.completion_tokens.toLocaleString("en")} out${within(reasoning, "reasoning")}`];
}

async function askCharge(requestId) {
  for (let tries = 0; tries < 10; tries += 1) {
    try {
      const response = await fetch(playForm.dataset.charge.replace(NO_ID, requestId));
      const found = await response.json();
      if (found.is_settled) return found;
    } catch {
      return null;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return null;
}
