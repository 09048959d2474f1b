// The conversation in the person's history: brought back when the page opens, kept after each answer.
const opened = readData("conversation");
let keptId = opened?.id ?? null;
let keeping = Promise.resolve(); // one after another, so that no conversation is kept twice

function keepConversation() {
  const conversation = {
    system: byId("system").value.trim(),
    columns: columns.map(({ model, messages }) => ({ model, messages: messages.map(markImages) })),
  };
  if (!conversation.columns.some((column) => column.messages.length)) return;
  const body = () => JSON.stringify({ id: keptId, conversation });
  keeping = keeping.then(async () => {
    const kept = await postJson(playForm.dataset.save, body());
    if (kept?.id) showKept(kept.id);
  });
}

// The history says where an image was, and keeps none.
function markImages({ role, content }) {
  if (typeof content === "string") return { role, content };
  return { role, content: content.map((part) => (part.type === "text" ? part : { type: part.type })) };
}

// The address leads back to the conversation, also after a reload.
function showKept(id) {
  keptId = id;
  history.replaceState(null, "", id ? `?conversation=${id}` : location.pathname);
}

function bringBack({ system, columns: said }) {
  byId("system").value = system;
  said.forEach(({ model, messages }, place) => {
    const column = columns[place] ?? addColumnBelow();
    column.choose(model);
    column.restore(messages, model);
    jumpToEnd(column.parts.log);
  });
  showColumns(columns[0]);
  playButtons.fresh.hidden = false;
}

if (opened) bringBack(opened);
document.addEventListener("play:ended", keepConversation);
document.addEventListener("play:anew", () => {
  keeping = keeping.then(() => showKept(null));
});
