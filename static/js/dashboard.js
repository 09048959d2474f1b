// The dashboard before the first call: waits for it, then shows the page with it.
const EVERY_MS = 2000;
const UNTIL = Date.now() + 10 * 60 * 1000;
const box = document.getElementById("waiting");

async function ask() {
  if (Date.now() > UNTIL) {
    box.textContent = "Not waiting any longer: reload this page after the call.";
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

function show({ received, refused }) {
  if (received) {
    box.textContent = `Received: ${received}`;
    location.reload();
    return true;
  }
  const said = refused ? `A call arrived and was refused: ${refused}. Waiting for the next …` : "Waiting for the first call …";
  if (box.textContent !== said) box.textContent = said;
  return false;
}

if (box?.dataset.poll) ask();
