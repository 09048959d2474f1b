// The history as a panel: the same page's list, without leaving the Playground.
const historyPanel = byId("history-panel");
const historyPart = byId("history-part");
let historyAsked = 0;

async function showHistory(address) {
  const wanted = new URL(address, location.href);
  wanted.searchParams.set("part", "1");
  const number = (historyAsked += 1);
  const part = await fetchPart(wanted);
  if (number !== historyAsked) return; // something else was asked for meanwhile
  if (part === null) historyPart.textContent = "The history could not be loaded: check the connection, or sign in again.";
  else historyPart.innerHTML = part;
}

async function fetchPart(address) {
  try {
    const response = await fetch(address);
    return response.ok && !response.redirected ? await response.text() : null;
  } catch {
    return null;
  }
}

byId("history").addEventListener("click", async (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab
  event.preventDefault();
  historyPanel.showModal();
  await showHistory(byId("history").href);
});
byId("history-close").addEventListener("click", () => historyPanel.close());
historyPanel.addEventListener("click", (event) => {
  if (event.target === historyPanel) historyPanel.close(); // beside the panel
  const link = event.target.closest?.("a[data-part-link]");
  if (!link) return;
  event.preventDefault();
  showHistory(link.href);
});

historyPart.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.method === "get") {
    await showHistory(`${form.action}?${new URLSearchParams(new FormData(form))}`);
    byId("history-words").focus();
    return;
  }
  if (form.dataset.confirm && !confirm(form.dataset.confirm)) return;
  const wasSwitch = form.querySelector("[role=switch]");
  await fetch(form.action, { method: "POST", body: new FormData(form) }).catch(() => null);
  await showHistory(byId("history").href);
  byId(wasSwitch ? "history-keeps" : "history-words").focus();
});
