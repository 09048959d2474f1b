// Reading the answer of one call: server-sent events, and errors in words.

class CallError extends Error {
  constructor(message, code = "") {
    super(message);
    this.code = code;
  }
}

// Post the call; `onHead` gets the response's headers, `onChunk` each chunk. Throws CallError.
async function streamCall({ address, token, body, signal, onHead, onChunk }) {
  const response = await fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrftoken": token },
    body: JSON.stringify(body),
    signal,
  });
  onHead(response.headers);
  if (!response.ok) throw await readRefusal(response);
  let isDone = false;
  for await (const data of readEvents(response.body)) {
    if (data === "[DONE]") {
      isDone = true;
      continue;
    }
    const chunk = JSON.parse(data);
    if (chunk.error) throw new CallError(chunk.error.message, chunk.error.code);
    onChunk(chunk);
  }
  if (!isDone) throw new CallError("The answer broke off: the connection was lost.", "broken_off");
}

async function readRefusal(response) {
  try {
    const { error } = await response.json();
    return new CallError(error.message, error.code);
  } catch {
    return response.status === 403
      ? new CallError("Your session has ended. Copy your message, reload the page and sign in again.")
      : new CallError(`The site answered with status ${response.status}.`);
  }
}

// The data of each event. The bytes may be split anywhere, inside a character too.
async function* readEvents(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      rest += decoder.decode(value, { stream: !done });
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = done ? "" : lines.pop();
      for (const line of lines) {
        // Each event of this API is one line; comments begin with a colon.
        if (line.startsWith("data:")) yield line.slice(5).trim();
      }
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => null); // whoever reads no further is not sent, nor charged, any more
  }
}

// Post to a page of this site; return its JSON, null where it could not be had.
async function postJson(address, body = "{}") {
  const headers = { "content-type": "application/json", "x-csrftoken": playForm.elements.csrfmiddlewaretoken.value };
  try {
    const response = await fetch(address, { method: "POST", headers, body });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
