// What happens to analyses, as it happens. One stream per browser: the tab that holds the lock `visagram-events`
// reads it and hands each event to the others. Where the server has no stream left (503), tabs ask every two seconds.

import { api, askForToken } from "./api.js";
import { online } from "./ui.js";

const LOCK = "visagram-events";
const POLL = 2000;
const STREAM_AGAIN = 30000;
/** A stream that is back within this time was never missed. */
const PATIENCE = 2500;

const watchers = new Set();
const channel = "BroadcastChannel" in window ? new BroadcastChannel(LOCK) : null;
let started = false;
let polling = 0;
let source = null;
let retry = 0;

/**
 * Calls `callback(analysis)` whenever an analysis changes (`null`: any). While one runs, `analysis.preview` may hold
 * `{time, width, height, faces, url}`. Returns a function that ends it.
 */
export function watch(id, callback) {
  const watcher = { id, callback, seen: new Map() };
  watchers.add(watcher);
  start();
  return () => {
    watchers.delete(watcher);
  };
}

function start() {
  if (started) return;
  started = true;
  channel?.addEventListener("message", ({ data }) => heard(data));
  addEventListener("online", () => (source ? null : connect()));
  if (channel && navigator.locks) {
    channel.postMessage({ kind: "hello" });
    // The promise never settles: the lock is held until this tab goes.
    navigator.locks.request(LOCK, () => (lead(), new Promise(() => {})));
  } else {
    // No locks outside secure contexts: then only the tab that is looked at holds a stream.
    const look = () => (document.hidden ? disconnect() : lead());
    document.addEventListener("visibilitychange", look);
    look();
  }
}

let leading = false;

function lead() {
  leading = true;
  connect();
}

function disconnect() {
  leading = false;
  clearTimeout(retry);
  source?.close();
  source = null;
  poll(false);
}

function connect() {
  clearTimeout(retry);
  if (!leading || source) return;
  if (!("EventSource" in window)) return tellAll({ kind: "poll", on: true });
  source = new EventSource(api.url("/events"));
  source.addEventListener("analysis", (event) => tellAll({ kind: "analysis", analysis: JSON.parse(event.data) }));
  source.addEventListener("open", () => {
    tellAll({ kind: "poll", on: false });
    tellAll({ kind: "catch-up" });
  });
  source.addEventListener("error", () => {
    // CONNECTING: the browser tries again by itself. CLOSED: refused, or no stream left.
    if (source?.readyState !== EventSource.CLOSED) return setTimeout(tellWhenLost, PATIENCE);
    source = null;
    tellAll({ kind: "poll", on: true });
    retry = setTimeout(connect, STREAM_AGAIN);
  });
}

function tellWhenLost() {
  if (source?.readyState === EventSource.CONNECTING) tellAll({ kind: "lost", on: true });
}

function tellAll(message) {
  channel?.postMessage(message);
  heard(message);
}

function heard(message) {
  if (message.kind === "analysis") deliver(message.analysis);
  else if (message.kind === "poll") poll(message.on);
  else if (message.kind === "catch-up") refresh();
  else if (message.kind === "lost") online.lost(message.on);
  else if (message.kind === "hello" && leading) channel.postMessage({ kind: "poll", on: polling !== 0 });
}

function deliver(analysis) {
  online.lost(false);
  for (const watcher of watchers) {
    if (watcher.id !== null && watcher.id !== analysis.id) continue;
    watcher.callback(analysis);
  }
}

function poll(on) {
  if (on && !polling) polling = setInterval(() => document.hidden || refresh(), POLL);
  if (!on && polling) polling = clearInterval(polling) ?? 0;
}

/** Asks for what the watchers of this tab want and tells those for whom something is new. */
async function refresh() {
  await Promise.all([...watchers].map(async (watcher) => {
    try {
      const found = watcher.id === null ? (await api.get("/analyses", { limit: 50 })).items : [await withPreview(watcher.id)];
      online.lost(false);
      for (const analysis of found) {
        const state = JSON.stringify(analysis);
        if (watcher.seen.get(analysis.id) === state || !watchers.has(watcher)) continue;
        watcher.seen.set(analysis.id, state);
        watcher.callback(analysis);
      }
    } catch (problem) {
      if (problem.name !== "Problem") throw problem;
      if (problem.status === 0 || problem.status >= 502) online.lost(true);
      else if (problem.status === 401) askForToken();
    }
  }));
}

async function withPreview(id) {
  const analysis = await api.get(`/analyses/${id}`);
  if (analysis.state !== "running") return analysis;
  const faces = await api.get(`/analyses/${id}/preview/faces`);
  return faces ? { ...analysis, preview: { ...faces, url: api.url(`/analyses/${id}/preview`) } } : analysis;
}
