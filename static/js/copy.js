// Buttons with data-copy="<id>" copy that element's text; they stay hidden without a script.
function showCopyButtons(part) {
  for (const button of part.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
}

document.addEventListener("DOMContentLoaded", () => showCopyButtons(document));
document.addEventListener("htmx:load", (event) => showCopyButtons(event.target));

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button[data-copy]");
  if (!button) return;
  button.dataset.text ||= button.textContent;
  button.textContent = (await copyText(document.getElementById(button.dataset.copy))) ? "Copied" : "Press Ctrl+C";
  setTimeout(() => (button.textContent = button.dataset.text), 2000);
});

async function copyText(source) {
  const text = "value" in source ? source.value : source.textContent;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No clipboard on plain http: select the text, so that the keyboard can copy it.
    const range = document.createRange();
    range.selectNodeContents(source);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return document.execCommand("copy");
  }
}
