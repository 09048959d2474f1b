// The page of a new key: waits for its first call and says what arrived.
const EVERY_MS = 2000;
const UNTIL = Date.now() + 10 * 60 * 1000;
const box = document.getElementById("waiting");
const text = box.querySelector(".waiting-text");
box.hidden = false;

// This page answers a form: loading it again would make a second key. The key's own page can be loaded again.
history.replaceState(null, "", box.dataset.keyUrl);

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
    return true;
  }
  const waits = "Waiting for the first call with this key …";
  const said = refused ? `A call arrived and was refused: ${refused}. Waiting for the next …` : waits;
  if (text.textContent !== said) text.textContent = said;
  return false;
}

ask();
