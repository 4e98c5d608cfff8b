// The REST API under /api/v1. Every failure is a `Problem` with words a person can act on.

const ROOT = "/api/v1";

/** What the server answered instead of a result (RFC 9457), or `{status: 0, code: "offline"}` when it did not answer. */
export class Problem extends Error {
  /** @param {{status: number, code?: string, title?: string, detail?: string, errors?: object, retryAfter?: number|null}} facts */
  constructor({ status, code = "", title = "", detail = "", errors = {}, retryAfter = null }) {
    super(detail || title || `The server answered ${status}.`);
    this.name = "Problem";
    Object.assign(this, { status, code, title, detail: this.message, errors, retryAfter });
  }
}

/** The address of an API path ("/videos") or of a path the server gave ("/api/v1/…"), with query parameters. */
export function url(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return (path.startsWith(ROOT) ? path : ROOT + path) + (text ? `${path.includes("?") ? "&" : "?"}${text}` : "");
}

/** Headers that every request of the page carries: a foreign page cannot send them. */
export function headers() {
  const csrf = document.querySelector('meta[name="csrf"]')?.content;
  return { "X-Requested-With": "visagram", ...(csrf ? { "X-CSRF-Token": csrf } : {}) };
}

/** The `Problem` that a failed answer holds; `text` is its body. */
export function problemFrom(status, text, retryAfter = null) {
  try {
    const body = JSON.parse(text);
    if (body && typeof body === "object") return new Problem({ ...body, status, retryAfter });
  } catch {
    // not JSON: a proxy's page, say
  }
  return new Problem({ status, retryAfter });
}

export const offline = () =>
  new Problem({
    status: 0,
    code: "offline",
    title: "No connection",
    detail: "Visagram does not answer. Check that it is running and that this computer is connected, then try again.",
  });

async function send(method, path, { params, body, signal } = {}) {
  const isForm = body instanceof FormData;
  const init = { method, signal, credentials: "same-origin", headers: { Accept: "application/json", ...headers() } };
  if (body !== undefined) {
    init.body = isForm ? body : JSON.stringify(body);
    if (!isForm) init.headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(url(path, params), init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw offline();
  }
  const text = response.status === 204 ? "" : await response.text();
  if (!response.ok) {
    if (response.status === 401) askForToken();
    throw problemFrom(response.status, text, Number(response.headers.get("Retry-After")) || null);
  }
  return text ? JSON.parse(text) : null;
}

/** Leaves for the token form, to come back here afterwards. */
export function askForToken() {
  const here = location.pathname + location.search;
  if (location.pathname !== "/token") location.assign(`/token?next=${encodeURIComponent(here)}`);
}

/** Each resolves to the parsed JSON (null for 204) and rejects with a `Problem`. `options`: `{signal}`. */
export const api = {
  get: (path, params, options = {}) => send("GET", path, { params, ...options }),
  post: (path, body = {}, options = {}) => send("POST", path, { body, ...options }),
  patch: (path, body = {}, options = {}) => send("PATCH", path, { body, ...options }),
  del: (path, params, options = {}) => send("DELETE", path, { params, ...options }),
  url,
};
