// What every part of the Playground uses: the form, copies of templates, numbers in words.
const NO_ID = "00000000-0000-0000-0000-000000000000";
const playForm = document.getElementById("play");
const playAsk = playForm.querySelector(".play-ask");
const isOnPhone = matchMedia("(max-width: 760px)");

function byId(id) {
  return document.getElementById(id);
}

// The JSON that the page came with, by the id of its element.
function readData(id) {
  return JSON.parse(byId(id)?.textContent ?? "null");
}

// A copy of a template with its named parts.
function copyTemplate(id) {
  const turn = byId(id).content.firstElementChild.cloneNode(true);
  return { turn, ...findParts(turn) };
}

function findParts(element) {
  return Object.fromEntries([...element.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
}

function addTurn(log, kind) {
  const parts = copyTemplate(`turn-${kind}`);
  followEnd(log, () => log.append(parts.turn));
  return parts;
}

// The end of a column is what one looks at; on a phone, where the page scrolls, the message's field below it.
function jumpToEnd(log) {
  if (isOnPhone.matches) playAsk.scrollIntoView({ block: "end", behavior: "instant" });
  else log.scrollTo({ top: log.scrollHeight, behavior: "instant" });
}

function isAtEnd(log) {
  if (!isOnPhone.matches) return log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
  return playAsk.getBoundingClientRect().bottom <= innerHeight + 80;
}

// Do what makes the conversation longer; whoever was at its end stays there, whoever reads above is left alone.
function followEnd(log, grow) {
  const follows = isAtEnd(log);
  grow();
  if (follows) jumpToEnd(log);
}

function makeLink(address, text) {
  const link = document.createElement("a");
  Object.assign(link, { href: address, textContent: text });
  return link;
}

function formatDollars(amount) {
  if (amount && amount < 0.01) return `$${amount.toFixed(9).replace(/0+$/, "")}`;
  return `$${amount.toFixed(amount && amount < 1 ? 4 : 2)}`;
}

function formatSeconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`;
}
