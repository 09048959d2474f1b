// On phones the console's navigation and the tabs of a page scroll sideways: show the page one is on.
document.addEventListener("DOMContentLoaded", () => {
  for (const here of document.querySelectorAll(":is(.side, .subnav) [aria-current]")) {
    const list = here.closest(".side, .subnav");
    const inside = here.getBoundingClientRect().left - list.getBoundingClientRect().left + list.scrollLeft;
    list.scrollLeft = inside - (list.clientWidth - here.offsetWidth) / 2;
  }
});

// Menus are details elements: close them with Escape and by a click elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Buttons with command="show-modal" open their dialog also in browsers that don't know the attribute.
if (!("commandForElement" in HTMLButtonElement.prototype)) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.('button[command="show-modal"]');
    if (button) document.getElementById(button.getAttribute("commandfor")).showModal();
  });
}
