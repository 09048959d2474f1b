// Passkeys, around allauth's scripts: parts with data-passkeys show where the browser has them,
// parts with data-no-passkeys elsewhere; what the browser refuses is said in words.
(() => {
  const can = Boolean(window.PublicKeyCredential && navigator.credentials);
  for (const part of document.querySelectorAll("[data-passkeys]")) part.hidden = !can;
  for (const part of document.querySelectorAll("[data-no-passkeys]")) part.hidden = can;

  const problem = document.getElementById("passkey-problem");
  const words = {
    NotAllowedError: "No passkey was used: it was cancelled, took too long, or none fits here.",
    InvalidStateError: "This device already has a passkey for your account.",
    SecurityError: "The browser refuses passkeys at this address.",
  };

  document.addEventListener("allauth.error", (event) => {
    event.preventDefault(); // else it is written to the console, where nobody looks
    problem.textContent = words[event.detail.exception.name] || "The passkey could not be used: try again in a minute.";
    problem.hidden = false;
  });

  // Enter in the name's field does what the button does.
  const add = document.getElementById("mfa_webauthn_add");
  add?.form.addEventListener("submit", (event) => {
    event.preventDefault();
    add.click();
  });
})();
