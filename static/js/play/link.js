// A link that opens the Playground with these models, this message and these parameters; and what a reload keeps.
const LONGEST_LINK = 6000;
const keptName = `playground-${playForm.dataset.person}`;
// Each name in the address with the id of its field.
const linkFields = {
  prompt: "prompt", system: "system", temperature: "temperature",
  top_p: "top-p", max_tokens: "max-tokens", thinking: "thinking",
};

function makeShareLink() {
  const query = new URLSearchParams(columns.map((column) => ["model", column.model]));
  for (const [name, id] of Object.entries(linkFields)) {
    const text = byId(id).value.trim();
    if (text) query.set(name, text);
  }
  return `${location.origin}${location.pathname}?${query}`;
}

// Messages that were sent are the likelier ones to be shared: the last stands in where nothing is typed.
byId("share").addEventListener("click", async () => {
  const typed = promptField.value;
  if (!typed.trim()) promptField.value = lastPrompt();
  const link = makeShareLink();
  promptField.value = typed;
  const state = byId("state");
  if (link.length > LONGEST_LINK) {
    state.textContent = "Too long for a link: shorten the message or the system message.";
    return;
  }
  state.textContent = link; // stays there where it can't be copied
  if (await copyText(state)) state.textContent = "Link copied: models, message and parameters.";
});

function lastPrompt() {
  return textOf(columns[0].messages.findLast((message) => message.role === "user")?.content ?? "");
}

// The tab remembers its models, parameters and what is typed; an address that says something goes before.
function keepFields() {
  try {
    sessionStorage.setItem(keptName, new URL(makeShareLink()).search);
  } catch {
    // The storage is full, or switched off: a reload begins anew then.
  }
}

function readKept() {
  try {
    return sessionStorage.getItem(keptName) ?? "";
  } catch {
    return "";
  }
}

function bringBackFields() {
  const kept = new URLSearchParams(readKept());
  const models = kept.getAll("model");
  if (models.length) columns[0].choose(models[0]);
  for (const model of models.slice(1, MOST_COLUMNS)) addColumnBelow().choose(model);
  for (const [name, id] of Object.entries(linkFields)) if (kept.has(name)) byId(id).value = kept.get(name);
  showColumns(columns[0]);
}

if (!location.search) bringBackFields();
playForm.addEventListener("input", keepFields);
document.addEventListener("play:change", keepFields);
document.addEventListener("play:answered", keepFields);
