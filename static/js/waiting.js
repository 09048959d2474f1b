// A page that waits for a key's first call: asks every two seconds for ten minutes, and says what arrived.
const EVERY_MS = 2000;
const UNTIL = Date.now() + 10 * 60 * 1000;
const box = document.getElementById("waiting");
const text = box.querySelector(".waiting-text") ?? box;
box.hidden = false;

// This page answers a form: loading it again would make a second key. The key's own page can be loaded again.
if (box.dataset.keyUrl) history.replaceState(null, "", box.dataset.keyUrl);

async function ask() {
  if (Date.now() > UNTIL) {
    text.textContent = "No call within ten minutes. The first one will show up under usage.";
    box.classList.add("is-over");
    return;
  }
  if (!document.hidden) {
    try {
      const response = await fetch(box.dataset.poll, { headers: { accept: "application/json" } });
      if (response.ok && show(await response.json())) return;
    } catch {
      // The server may be restarting: ask again.
    }
  }
  setTimeout(ask, EVERY_MS);
}

function show({ received, url, refused }) {
  if (received) {
    const link = document.createElement("a");
    link.href = url;
    link.textContent = "look at it";
    text.replaceChildren(`Received: ${received} · `, link);
    box.classList.add("is-done");
    if ("reloads" in box.dataset) location.reload(); // the page has more to show with it
    return true;
  }
  const waits = "Waiting for the first call with this key …";
  const said = refused ? `A call arrived and was refused: ${refused}. Waiting for the next …` : waits;
  if (text.textContent !== said) text.textContent = said;
  return false;
}

if (box.dataset.poll) ask();
