// Uploads that survive pauses, lost connections and a closed tab: the tus 1.0 protocol (core, creation, termination).

import { Problem, askForToken, headers, offline, problemFrom } from "./api.js";
import { keyOf, remember, remembered } from "./memory.js";

const ENDPOINT = "/api/v1/uploads";
const CHUNK = 8 * 2 ** 20;
const WINDOW = 8000;
/** How often the server is asked what became of a file that is complete. */
const FINISHING = 600;

/** Forgets an interrupted upload and frees its bytes on the server. */
export async function discard({ key, url }) {
  remember(key, null);
  await request("DELETE", url).catch(() => null); // the server drops it by itself after a while
}

/** One request; resolves to the finished XMLHttpRequest, rejects with the offline `Problem` or an AbortError. */
function request(method, url, { extra = {}, body = null, onProgress = null, signal = null } = {}) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open(method, url);
    for (const [name, value] of Object.entries({ "Tus-Resumable": "1.0.0", ...headers(), ...extra })) xhr.setRequestHeader(name, value);
    xhr.addEventListener("load", () => resolve(xhr));
    xhr.addEventListener("error", () => reject(offline()));
    xhr.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
    if (onProgress) xhr.upload.addEventListener("progress", (event) => onProgress(event.loaded));
    signal?.addEventListener("abort", () => xhr.abort());
    xhr.send(body);
  });
}

const problemOf = (xhr) => problemFrom(xhr.status, xhr.responseText, Number(xhr.getResponseHeader("Retry-After")) || null);

function metadata(values) {
  const encode = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  return Object.entries(values).filter(([, text]) => text).map(([name, text]) => `${name} ${encode(text)}`).join(",");
}

/**
 * One file on its way. `meta`: texts that go with it (filename is added). `state` is "ready", "sending", "paused",
 * "waiting" (for the connection or a busy server), "done", "failed" or "cancelled"; `onChange(upload)` follows it.
 * `sent`, `rate` (bytes/s or null), `secondsLeft`, `problem` and, once done, `video` (its id, or null) tell the rest.
 */
export class Upload {
  constructor(file, meta, onChange) {
    Object.assign(this, { file, onChange, key: keyOf(file), state: "ready", sent: 0, problem: null, video: null });
    const known = remembered(file);
    this.url = known?.url ?? null;
    this.meta = known?.meta ?? meta;
    this.samples = [];
  }

  get total() {
    return this.file.size;
  }

  get rate() {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    return first && last.at - first.at > 500 ? ((last.sent - first.sent) * 1000) / (last.at - first.at) : null;
  }

  get secondsLeft() {
    return this.rate ? (this.total - this.sent) / this.rate : null;
  }

  get active() {
    return this.state === "sending" || this.state === "waiting";
  }

  /** Sends, or goes on after a pause or a failure. */
  async start() {
    if (this.active) return;
    this.control = new AbortController();
    this.samples = [];
    this.#become("sending");
    try {
      await this.#send();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.name !== "Problem") throw error;
      this.problem = error;
      this.#become("failed");
    }
  }

  pause() {
    this.#become("paused");
    this.control?.abort();
  }

  async cancel() {
    this.#become("cancelled");
    this.control?.abort();
    if (this.url) await discard(this);
    else remember(this.key, null);
  }

  /** Says that this tab goes: another may take the upload up at once. */
  release() {
    if (this.url && this.state !== "done") this.#note(0);
  }

  #become(state) {
    this.state = state;
    this.onChange(this);
  }

  #note(at = Date.now()) {
    if (at && at - (this.noted ?? 0) < 2000) return;
    this.noted = at;
    remember(this.key, { url: this.url, name: this.file.name, size: this.total, sent: this.sent, meta: this.meta, at });
  }

  #progress(sent) {
    const at = performance.now();
    this.sent = sent;
    this.samples = [...this.samples.filter((sample) => at - sample.at < WINDOW), { at, sent }];
    this.#note();
    this.onChange(this);
  }

  async #send() {
    let failures = 0;
    let pauses = 0;
    let asked = this.url === null;
    for (;;) {
      try {
        if (this.url === null) await this.#create();
        else if (!asked) await this.#locate();
        asked = true;
        if (this.state === "waiting") this.#become("sending");
        if (this.sent < this.total) await this.#chunk();
        else if (this.video || ++pauses > FINISHING) return this.#finish();
        else await this.#hashed(pauses > 1);
        failures = 0;
      } catch (error) {
        if (error.name !== "Problem") throw error;
        asked = false;
        if (error.status === 404 || error.status === 410) [this.url, this.sent] = [null, 0];
        else if (!passing(error)) throw error;
        else if (error.status !== 409) await this.#wait(error, failures);
        if (++failures > 5 && error.status !== 0) throw error;
      }
    }
  }

  async #create() {
    const extra = { "Upload-Length": String(this.total), "Upload-Metadata": metadata({ filename: this.file.name, ...this.meta }) };
    const xhr = await request("POST", ENDPOINT, { extra, signal: this.control.signal });
    if (xhr.status === 401) askForToken();
    if (xhr.status !== 201) throw problemOf(xhr);
    this.url = new URL(xhr.getResponseHeader("Location"), location.href).pathname;
    this.noted = 0;
    this.#note();
  }

  async #locate() {
    const xhr = await request("HEAD", this.url, { signal: this.control.signal });
    if (xhr.status >= 300) throw problemOf(xhr);
    this.video = xhr.getResponseHeader("Visagram-Video");
    this.sent = Number(xhr.getResponseHeader("Upload-Offset"));
    this.samples = [];
  }

  async #chunk() {
    const from = this.sent;
    const body = this.file.slice(from, from + CHUNK);
    const extra = { "Upload-Offset": String(from), "Content-Type": "application/offset+octet-stream" };
    const onProgress = (loaded) => this.#progress(from + Math.min(loaded, body.size));
    let xhr;
    try {
      xhr = await request("PATCH", this.url, { extra, body, onProgress, signal: this.control.signal });
    } catch (error) {
      if (error.name === "Problem") await this.#readable(from);
      throw error;
    }
    if (xhr.status >= 300) throw problemOf(xhr);
    this.video = xhr.getResponseHeader("Visagram-Video") ?? this.video;
    this.#progress(Number(xhr.getResponseHeader("Upload-Offset")));
  }

  /** A file that was moved or edited looks like a lost connection to XMLHttpRequest. */
  async #readable(from) {
    try {
      await this.file.slice(from, from + 1).arrayBuffer();
    } catch {
      throw new Problem({ status: 400, code: "file_changed", detail: "The file was changed, moved or deleted while it was being sent. Choose it again." });
    }
  }

  /** The server makes a video of the file, which takes it a while for a large one: asks what became of it. */
  async #hashed(again) {
    if (again) await new Promise((resolve) => setTimeout(resolve, 1000));
    await this.#locate();
  }

  #finish() {
    remember(this.key, null);
    this.#become("done");
  }

  /** Waits longer each time, up to 20 s; being online again ends it. */
  #wait(problem, failures) {
    this.problem = problem;
    this.samples = [];
    this.#become("waiting");
    const pause = problem.retryAfter ? problem.retryAfter * 1000 : Math.min(20000, 1000 * 2 ** failures);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(end, pause);
      addEventListener("online", end);
      this.control.signal.addEventListener("abort", () => (end(), reject(new DOMException("stopped", "AbortError"))));
      function end() {
        clearTimeout(timer);
        removeEventListener("online", end);
        resolve();
      }
    });
  }
}

/** Whether trying again later can help: no answer, a conflict of offsets, a lock, a limit of rate, a server in trouble. */
function passing({ status }) {
  return status === 0 || [409, 423, 429].includes(status) || (status >= 500 && status !== 507);
}
