// One column: a model, its own conversation, the answer that streams.
let columnCount = 0;

class Column {
  constructor(element, { onEnd, onRemove, onChange }) {
    this.element = element;
    this.parts = findParts(element);
    this.messages = []; // what was said so far, in the API's own shape
    this.running = null; // the AbortController of the answer that streams
    this.outcome = "";
    this.onEnd = onEnd;
    this.number = columnCount += 1;
    this.parts.model.id = this.parts.label.htmlFor = `model-${this.number}`;
    this.parts.stop.addEventListener("click", () => this.stop());
    this.parts.remove.addEventListener("click", () => onRemove(this));
    this.parts.model.addEventListener("change", () => {
      this.showModel();
      onChange();
    });
    this.showModel();
  }

  get model() {
    return this.parts.model.value;
  }

  // What the chosen model costs and can do.
  get choice() {
    return this.parts.model.selectedOptions[0].dataset;
  }

  choose(model) {
    if ([...this.parts.model.options].some((option) => option.value === model)) this.parts.model.value = model;
    this.showModel();
  }

  showModel() {
    const { name, input, output, sees, down } = this.choice;
    const notes = [sees ? "" : "does not see images", down ? "can’t be reached now" : ""].filter(Boolean);
    this.parts.price.textContent = [`${input} in, ${output} out per 1M tokens`, ...notes].join(" · ");
    this.parts.log.ariaLabel = `Conversation with ${name}`;
    this.element.ariaLabel = this.parts.name.textContent = name;
  }

  // Ask with this message and the call's parameters.
  async ask(message, parameters) {
    const asked = { message, parameters };
    this.parts.empty.hidden = true;
    for (const button of this.parts.log.querySelectorAll("[data-part=retry]")) button.hidden = true;
    const turn = addTurn(this.parts.log, "user");
    showQuestion(turn, message.content);
    turn.note.hidden = this.choice.sees || typeof message.content === "string";
    jumpToEnd(this.parts.log); // who has just sent wants to see the answer
    await this.answer(asked);
  }

  async answer({ message, parameters }) {
    const answer = new Answer(this.parts.log, this.model);
    answer.parts.retry.addEventListener("click", () => this.retry(answer, { message, parameters }));
    this.begin();
    try {
      await streamCall({
        address: playForm.action,
        token: playForm.elements.csrfmiddlewaretoken.value,
        body: this.bodyOf(message, parameters),
        signal: this.running.signal,
        onHead: (headers) => answer.readHead(headers),
        onChunk: (chunk) => answer.take(chunk),
      });
      this.outcome = "answered";
      answer.end("answered");
    } catch (problem) {
      this.outcome = this.running.signal.aborted ? "stopped" : "failed";
      const error = problem instanceof CallError ? problem : new CallError("The connection was lost.", "broken_off");
      answer.end(this.outcome, this.outcome === "failed" ? error : null);
    }
    this.end(answer, message);
  }

  bodyOf(message, { system, reasoning_effort: effort, ...parameters }) {
    const first = system ? [{ role: "system", content: system }] : [];
    const thinking = effort && this.choice.thinks ? { reasoning_effort: effort } : {};
    const said = this.choice.sees ? [...this.messages, message] : [...this.messages, message].map(leaveOutImages);
    return { model: this.model, messages: [...first, ...said], ...parameters, ...thinking };
  }

  retry(answer, asked) {
    if (this.running) return;
    if (promptField.value === textOf(asked.message.content)) promptField.value = "";
    answer.parts.turn.remove();
    if (answer.text) this.messages.splice(-2);
    this.parts.model.focus({ preventScroll: true });
    this.answer(asked);
  }

  stop() {
    this.running?.abort();
  }

  begin() {
    this.running = new AbortController();
    this.parts.stop.hidden = false;
    this.parts.model.disabled = this.parts.remove.disabled = true;
    this.onEnd(this);
  }

  end(answer, message) {
    this.running = null;
    if (document.activeElement === this.parts.stop) this.parts.log.focus({ preventScroll: true });
    this.parts.stop.hidden = true;
    this.parts.model.disabled = this.parts.remove.disabled = false;
    if (answer.text) this.messages.push(message, { role: "assistant", content: answer.text });
    this.onEnd(this);
  }

  // Show what was said another time, to a model that may not be served any more.
  restore(messages, model) {
    this.messages = messages;
    this.parts.empty.hidden = messages.length > 0;
    for (const { role, content } of messages) {
      if (role === "user") showQuestion(addTurn(this.parts.log, "user"), content);
      else showOldAnswer(this.parts.log, model, content);
    }
  }

  clear() {
    this.messages = [];
    this.outcome = "";
    this.parts.log.replaceChildren(this.parts.empty);
    this.parts.empty.hidden = false;
  }
}

// A message's content is a text, or a list of parts with images.
function showQuestion(parts, content) {
  parts.text.textContent = textOf(content);
  for (const part of typeof content === "string" ? [] : content) {
    if (part.type !== "image_url") continue;
    const image = document.createElement("img");
    Object.assign(image, { src: part.image_url.url, alt: "Image sent with the message", className: "thumb" });
    parts.images.append(image);
  }
}
