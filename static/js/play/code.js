// The call as code, as it is typed: the site writes it, from the same templates as elsewhere.
const callPanel = byId("call");
const TYPING_MS = 350;
let callTimer = 0;
let lastCall = "";

function describeCall() {
  const [column] = columns;
  const message = composeMessage(promptField.value.trim() || "Say hello in three languages.");
  const body = column.bodyOf(message, readParameters());
  return { ...body, messages: body.messages.map(cutImages) };
}

// The code shows no picture: none needs to be sent to write it.
function cutImages({ role, content }) {
  if (typeof content === "string") return { role, content };
  return { role, content: content.map((part) => (part.type === "text" ? part : { type: part.type, image_url: {} })) };
}

function showCallSoon() {
  clearTimeout(callTimer);
  if (callPanel.open) callTimer = setTimeout(showCall, TYPING_MS);
}

async function showCall() {
  const body = JSON.stringify(describeCall());
  if (body === lastCall) return;
  lastCall = body;
  byId("call-of").textContent = columns.length > 1 ? `To ${columns[0].choice.name}, the first of the models above.` : "";
  const written = await postJson(callPanel.dataset.address, body);
  if (body !== lastCall) return; // typed on meanwhile
  if (!written) {
    lastCall = ""; // refused or offline: the next change asks again
    return;
  }
  for (const [language, html] of Object.entries(written)) byId(`call-in-${language}-code`).innerHTML = html;
}

callPanel.addEventListener("toggle", showCallSoon);
playForm.addEventListener("input", showCallSoon);
document.addEventListener("play:change", showCallSoon);
document.addEventListener("play:answered", showCallSoon);
