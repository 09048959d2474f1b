// Markdown of a model, which is nobody's to trust: raw HTML is shown as text, nothing is loaded, nothing runs.
const HTML_CHARACTERS = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const CLEAN = {
  ALLOWED_TAGS: (
    "p br strong em del code pre blockquote ul ol li h4 h5 h6 hr a table thead tbody tr th td"
  ).split(" "),
  ALLOWED_ATTR: ["href", "title", "start", "align", "data-language"],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  ADD_URI_SAFE_ATTR: ["start", "align", "data-language"], // no addresses: the rule above is not theirs
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const markdown = new marked.Marked({
  gfm: true,
  renderer: {
    html: ({ text }) => escapeHtml(text),
    // A picture would be a request to a host of the model's choice.
    image: ({ href, text }) => `<a href="${escapeHtml(href)}">Image: ${escapeHtml(text || href)}</a>`,
    code: ({ text, lang }) =>
      `<pre data-language="${escapeHtml((lang || "").split(/\s/)[0])}"><code>${escapeHtml(text)}\n</code></pre>\n`,
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    heading({ tokens, depth }) {
      const level = Math.min(depth + 3, 6); // below the page's own
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
  },
});

function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (character) => HTML_CHARACTERS[character]);
}

// Show the text in the element. Blocks that have not changed stay: a selection in them is kept while more streams in.
function showMarkdown(element, text) {
  const fragment = DOMPurify.sanitize(markdown.parse(text), CLEAN);
  fragment.querySelectorAll("a").forEach(openOutside);
  fragment.querySelectorAll("table").forEach(letScroll);
  fragment.querySelectorAll("pre").forEach((pre, number) => frameCode(pre, `${element.id}-code-${number}`));
  const fresh = [...fragment.childNodes];
  let same = 0;
  while (same < fresh.length && element.childNodes[same]?.isEqualNode(fresh[same])) same += 1;
  while (element.childNodes.length > same) element.lastChild.remove();
  element.append(...fresh.slice(same));
}

function openOutside(link) {
  if (!link.hasAttribute("href")) link.replaceWith(...link.childNodes);
  else Object.assign(link, { target: "_blank", rel: "noopener noreferrer" });
}

function letScroll(table) {
  const frame = document.createElement("div");
  Object.assign(frame, { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Table" });
  table.replaceWith(frame);
  frame.append(table);
}

// The block as elsewhere on the site: its language and a copy button above it (see copy.js).
function frameCode(pre, id) {
  const frame = document.createElement("div");
  const bar = document.createElement("div");
  const button = document.createElement("button");
  frame.className = "code";
  bar.className = "code-bar";
  bar.textContent = pre.dataset.language || "code";
  Object.assign(button, { type: "button", className: "btn quiet small", textContent: "Copy" });
  button.dataset.copy = id;
  bar.append(button);
  pre.replaceWith(frame);
  pre.querySelector("code").id = id;
  pre.tabIndex = 0;
  frame.append(bar, pre);
}
