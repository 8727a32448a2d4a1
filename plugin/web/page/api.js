// The server's API.

/** What a problem says for a person. */
async function complain(response) {
  let detail = "";
  try {
    detail = (await response.json()).detail;
  } catch {
    // It is no answer of ours.
  }
  return new Error(detail || `The server answered with ${response.status}.`);
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer.");
  }
  if (!response.ok) throw await complain(response);
  return response;
}

export const path = (id, rest = "") => `/api/jobs/${id}${rest}`;

export const info = async () => (await ask("/api/info")).json();
export const state = async (id) => (await ask(path(id))).json();
export const remove = (id) => ask(path(id), { method: "DELETE", keepalive: true });

export const question = async (id, question, window) =>
  (
    await ask(path(id, "/questions"), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ question, window }),
    })
  ).json();

export const sound = async (id, window, version, of, signal) =>
  (await ask(path(id, `/windows/${window}/audio/${version}?of=${of}`), { signal })).arrayBuffer();

/** Uploads a form; `progress` gets the share that is sent. Its `abort` ends it. */
export function upload(form, progress) {
  const request = new XMLHttpRequest();
  const sent = new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // It is no answer of ours.
      }
      if (request.status === 202) resolve(answer);
      else reject(new Error(answer.detail || `The server answered with ${request.status}.`));
    };
    request.onerror = () => reject(new Error("The song could not be sent: the connection has ended."));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    request.open("POST", "/api/jobs");
    request.send(form);
  });
  return { sent, abort: () => request.abort() };
}

/** Follows a song. The browser connects again by itself, and gets what it has missed. */
export function follow(id, { window, song, state, lost }) {
  const source = new EventSource(path(id, "/events"));
  source.addEventListener("window", (event) => window(Number(event.lastEventId) - 1, JSON.parse(event.data)));
  source.addEventListener("song", (event) => song(JSON.parse(event.data)));
  source.addEventListener("state", (event) => {
    const now = JSON.parse(event.data);
    if (now.state === "done" || now.state === "failed") source.close();
    state(now);
  });
  source.onerror = () => source.readyState === EventSource.CLOSED && lost();
  return () => source.close();
}
