// "/" leads to the search field from anywhere on the page; Escape empties it and closes what was found.
const field = document.getElementById("docs-q");
const quick = document.getElementById("docs-quick");

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    field.focus();
    field.select();
  } else if (event.key === "Escape" && event.target.closest(".docs-find")) {
    field.value = "";
    quick.replaceChildren();
    field.focus();
  }
});

document.addEventListener("click", (event) => {
  if (!event.target.closest(".docs-find")) quick.replaceChildren();
});
