// Images for the next message: chosen, pasted or dropped; checked, and made smaller where they are large.
const IMAGE_TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif"];
const MOST_IMAGES = 4;
const MOST_FILE_BYTES = 30_000_000;
const LONGEST_EDGE = 1568; // models see no more of a picture than about this
const MOST_SENT_BYTES = 1_000_000;
let attached = []; // {name, url}: the address holds the picture itself

async function attach(files) {
  const problems = [];
  for (const file of files) {
    const problem = checkImage(file);
    if (problem) problems.push(problem);
    else await readImage(file).then((image) => attached.push(image), () => problems.push(`${file.name} can't be read as an image.`));
  }
  byId("image-problem").textContent = problems.join(" ");
  showAttached();
}

function checkImage({ name, type, size }) {
  if (!IMAGE_TYPES.includes(type)) return `${name || "This"} is no PNG, JPEG, WebP or GIF image.`;
  if (size > MOST_FILE_BYTES) return `${name} is larger than 30 MB.`;
  if (attached.length >= MOST_IMAGES) return `A message takes ${MOST_IMAGES} images: ${name} was left out.`;
  return "";
}

async function readImage(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_EDGE / Math.max(bitmap.width, bitmap.height));
  const fits = scale === 1 && file.size <= MOST_SENT_BYTES;
  const url = fits ? await readUrl(file) : drawSmaller(bitmap, scale);
  bitmap.close();
  return { name: file.name || "pasted image", url };
}

function readUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function drawSmaller(bitmap, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white"; // JPEG has no transparency
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.85);
}

function showAttached() {
  byId("attached").replaceChildren(...attached.map(makeThumb));
  byId("attached").hidden = attached.length === 0;
  document.dispatchEvent(new Event("play:change"));
}

function makeThumb(image) {
  const { turn, ...parts } = copyTemplate("thumb");
  Object.assign(parts.image, { src: image.url, alt: image.name });
  parts.remove.ariaLabel = `Remove ${image.name}`;
  parts.remove.addEventListener("click", () => {
    attached = attached.filter((each) => each !== image);
    showAttached();
    promptField.focus();
  });
  return turn;
}

// A message in the API's shape with what is attached.
function composeMessage(text) {
  if (!attached.length) return { role: "user", content: text };
  const pictures = attached.map(({ url }) => ({ type: "image_url", image_url: { url } }));
  return { role: "user", content: [{ type: "text", text }, ...pictures] };
}

function dropAttached() {
  attached = [];
  showAttached();
}

// The message as a model gets it that sees no images.
function leaveOutImages({ role, content }) {
  return { role, content: textOf(content) };
}

function textOf(content) {
  if (typeof content === "string") return content;
  return content.filter((part) => part.type === "text").map((part) => part.text).join("\n");
}

byId("attach").addEventListener("click", () => byId("images").click());
byId("images").addEventListener("change", async ({ target }) => {
  await attach([...target.files]);
  target.value = ""; // the same file may be chosen again
});
byId("prompt").addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (!files.length) return;
  event.preventDefault();
  attach(files);
});
playForm.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  playForm.classList.add("is-target");
});
for (const over of ["dragleave", "drop"]) playForm.addEventListener(over, () => playForm.classList.remove("is-target"));
playForm.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  attach([...event.dataTransfer.files]);
});
