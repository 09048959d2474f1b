// Applies the remembered theme before the page is painted, and runs the switch in the footer.
const root = document.documentElement;

function apply(theme) {
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  else delete root.dataset.theme;
  document.dispatchEvent(new CustomEvent("themechange"));
}

function remembered() {
  try {
    return localStorage.getItem("theme") || "system";
  } catch {
    return "system"; // storage is switched off
  }
}

apply(remembered());

document.addEventListener("DOMContentLoaded", () => {
  const choice = document.querySelector("[data-theme-switch]");
  if (!choice) return;
  const inputs = [...choice.querySelectorAll("input")];
  (inputs.find((input) => input.value === remembered()) ?? inputs[0]).checked = true;
  choice.addEventListener("change", (event) => {
    apply(event.target.value);
    try {
      localStorage.setItem("theme", event.target.value);
    } catch {
      // The theme then lasts until the next page.
    }
  });
});
