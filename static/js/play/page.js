// The page: columns side by side, one message to all of them.
const MOST_COLUMNS = 3;
const promptField = byId("prompt");
const playButtons = {
  send: byId("send"), stop: byId("stop"), fresh: byId("new-conversation"), add: byId("add-column"),
};
const columns = [];

function addColumn(element) {
  columns.push(new Column(element, { onEnd: showState, onRemove: removeColumn, onChange: noteChange }));
  showColumns();
  return columns.at(-1);
}

function addColumnBelow() {
  const element = copyTemplate("column").turn;
  byId("columns").append(element);
  return addColumn(element);
}

function removeColumn(column) {
  column.element.remove();
  columns.splice(columns.indexOf(column), 1);
  showColumns();
  columns.at(-1).parts.model.focus();
}

// As many columns as there are, their buttons, and on a phone a tab for each.
function showColumns(shown = columns.at(-1)) {
  byId("columns").dataset.count = columns.length;
  for (const column of columns) column.parts.remove.hidden = columns.length === 1;
  playButtons.add.disabled = columns.length >= MOST_COLUMNS || columns.some((column) => column.running);
  showTab(columns.includes(shown) ? shown : columns[0]);
  noteChange();
}

function showTab(shown) {
  const tabs = byId("tabs");
  tabs.hidden = columns.length < 2;
  tabs.replaceChildren(...columns.map((column) => makeTab(column, column === shown)));
  for (const column of columns) column.element.classList.toggle("is-shown", column === shown);
}

function makeTab(column, isShown) {
  const tab = document.createElement("button");
  Object.assign(tab, { type: "button", textContent: column.choice.name, ariaPressed: String(isShown) });
  tab.addEventListener("click", () => {
    showTab(column);
    byId("tabs").querySelector("[aria-pressed=true]").focus();
  });
  return tab;
}

// Something changed that the address of a link, the samples or the tabs tell of.
function noteChange() {
  const shown = columns.find((column) => column.element.classList.contains("is-shown")) ?? columns[0];
  if (shown) showTab(shown);
  document.dispatchEvent(new Event("play:change"));
}

function readParameters() {
  const read = (id) => byId(id).value.trim();
  const number = (name, id) => (read(id) ? { [name]: Number(read(id)) } : {});
  return {
    ...(read("system") && { system: read("system") }),
    ...number("temperature", "temperature"),
    ...number("top_p", "top-p"),
    ...number("max_tokens", "max-tokens"),
    ...(read("thinking") && { reasoning_effort: read("thinking") }),
  };
}

async function sendToAll(text) {
  const message = composeMessage(text);
  const parameters = readParameters();
  const pictures = attached;
  promptField.value = "";
  dropAttached();
  await Promise.all(columns.map((column) => column.ask(message, parameters)));
  const isAnswered = columns.some((column) => column.messages.includes(message));
  if (!isAnswered && !promptField.value) giveBack(text, pictures);
  if (!document.activeElement || document.activeElement === document.body) promptField.focus({ preventScroll: true });
  document.dispatchEvent(new Event("play:answered"));
}

// Nothing was answered: what was typed and attached is kept.
function giveBack(text, pictures) {
  promptField.value = text;
  attached = pictures;
  showAttached();
}

// Said once when an answer begins and once when it ends, not for each word of it.
function showState() {
  const running = columns.filter((column) => column.running).length;
  playButtons.send.disabled = playButtons.fresh.disabled = running > 0;
  playButtons.add.disabled = running > 0 || columns.length >= MOST_COLUMNS;
  playButtons.stop.hidden = running === 0;
  playButtons.stop.querySelector("span").textContent = running > 1 ? "Stop all" : "Stop";
  playButtons.fresh.hidden = false;
  byId("state").textContent = running ? "Answering…" : describeOutcome();
  if (!running) document.dispatchEvent(new Event("play:ended"));
}

function describeOutcome() {
  if (columns.length === 1) return columns[0].outcome.replace(/^./, (first) => first.toUpperCase());
  const outcomes = columns.map((column) => column.outcome);
  const counts = ["answered", "stopped", "failed"].map((how) => [outcomes.filter((each) => each === how).length, how]);
  return counts.filter(([count]) => count).map(([count, how]) => `${count} ${how}`).join(", ");
}

function stopAll() {
  for (const column of columns) column.stop();
}

function startAnew() {
  for (const column of columns) column.clear();
  playButtons.fresh.hidden = true;
  byId("state").textContent = "";
  document.dispatchEvent(new Event("play:anew"));
  promptField.focus();
}

for (const element of document.querySelectorAll("#columns > .play-column")) addColumn(element);
showColumns(columns[0]);

playForm.addEventListener("submit", (event) => {
  event.preventDefault();
  if (columns.some((column) => column.running)) return;
  const text = promptField.value.trim();
  if (text) sendToAll(text);
  else promptField.focus();
  byId("image-problem").textContent = !text && attached.length ? "Say what to do with the image." : "";
});
promptField.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
  event.preventDefault();
  playForm.requestSubmit();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) stopAll();
});
playButtons.stop.addEventListener("click", () => {
  stopAll();
  promptField.focus({ preventScroll: true });
});
playButtons.fresh.addEventListener("click", startAnew);
playButtons.add.addEventListener("click", () => {
  const column = addColumnBelow();
  const taken = columns.map((each) => each.model);
  const free = [...column.parts.model.options].find((option) => !taken.includes(option.value));
  if (free) column.choose(free.value);
  showColumns(column);
  column.parts.model.focus();
});
addEventListener("pagehide", stopAll);
if (/Mac|iPhone|iPad/.test(navigator.userAgent)) document.querySelector(".play-keys kbd").textContent = "⌘";
