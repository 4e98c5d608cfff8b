// The panel of uploads: two at a time, each with its speed and the time left; those a closed tab left behind wait in it.

import { interrupted } from "./memory.js";
import { Upload, discard } from "./tus.js";
import { announce, bytes, clock, h, icon, percent } from "./ui.js";

const AT_ONCE = 2;

/**
 * Fills `panel` (a section with a list) with uploads. `choose()` opens the file picker; `arrived(upload, last)` is
 * called for each that is complete, `last` when none is left. Returns `{add(file, meta)}`.
 */
export function uploadQueue(panel, { choose, arrived }) {
  const list = panel.querySelector("ul");
  const rows = new Map();

  function add(file, meta) {
    const upload = new Upload(file, meta, changed);
    if (rows.has(upload.key)) return;
    leftovers.get(upload.key)?.remove();
    const row = makeRow(upload);
    rows.set(upload.key, row);
    list.append(row.element);
    changed(upload);
    next();
  }

  function next() {
    const all = [...rows.values()].map((row) => row.upload);
    const free = AT_ONCE - all.filter((upload) => upload.active).length;
    for (const upload of all.filter((one) => one.state === "ready").slice(0, free)) upload.start();
    panel.hidden = list.children.length === 0;
  }

  function changed(upload) {
    const row = rows.get(upload.key);
    if (!row) return;
    row.show();
    if (row.was === upload.state) return;
    row.was = upload.state;
    if (upload.state === "done") finish(upload, row);
    else if (upload.state === "cancelled") remove(row);
    else if (upload.state === "failed") announce(`The upload of ${upload.file.name} failed. ${upload.problem.detail}`);
    else if (upload.state === "waiting") announce("The upload waits for the connection.");
    if (upload.state !== "sending") next();
  }

  function finish(upload, row) {
    announce(`${upload.file.name} is uploaded.`);
    remove(row);
    arrived(upload, rows.size === 0);
  }

  function remove(row) {
    const neighbour = row.element.nextElementSibling ?? row.element.previousElementSibling;
    const focused = row.element.contains(document.activeElement);
    rows.delete(row.upload.key);
    row.element.remove();
    if (focused) neighbour?.querySelector("button")?.focus();
  }

  const leftovers = new Map();
  function showLeftovers() {
    for (const entry of interrupted()) {
      if (rows.has(entry.key) || leftovers.has(entry.key)) continue;
      const drop = () => {
        element.remove();
        discard(entry);
        next();
      };
      const element = h("li", { class: "transfer left" }, icon("film"),
        h("div", { class: "what" }, h("bdi", { class: "name" }, entry.name),
          h("progress", { class: "progress thin", max: 1, value: entry.sent / entry.size, "aria-label": `Upload of ${entry.name}` }),
          h("p", { class: "small muted" }, `Interrupted at ${percent(entry.sent / entry.size)}. Choose the same file again and it goes on from there.`)),
        h("div", { class: "row" }, h("button", { class: "button small", type: "button", onclick: choose }, "Choose file"),
          h("button", { class: "button icon quiet small", type: "button", "aria-label": `Discard the upload of ${entry.name}`, onclick: drop }, icon("close"))));
      leftovers.set(entry.key, element);
      list.append(element);
    }
    panel.hidden = list.children.length === 0;
  }

  addEventListener("pagehide", () => rows.forEach((row) => row.upload.release()));
  addEventListener("beforeunload", (event) => {
    if ([...rows.values()].some((row) => row.upload.active)) event.preventDefault();
  });
  showLeftovers();
  setTimeout(showLeftovers, 11000); // what another tab was sending until it crashed
  return { add };
}

function makeRow(upload) {
  const { name } = upload.file;
  const bar = h("progress", { class: "progress thin", max: 1, value: 0, "aria-label": `Upload of ${name}` });
  const words = h("p", { class: "small muted" });
  const toggle = h("button", { class: "button icon quiet small", type: "button", onclick: () => (upload.active ? upload.pause() : upload.start()) });
  const stop = h("button", { class: "button icon quiet small", type: "button", "aria-label": `Cancel the upload of ${name}`, onclick: () => upload.cancel() }, icon("close"));
  const element = h("li", { class: "transfer" }, icon("film"), h("div", { class: "what" }, h("bdi", { class: "name" }, name), bar, words), h("div", { class: "row" }, toggle, stop));
  let symbol = "";

  function show() {
    bar.value = upload.total ? upload.sent / upload.total : 0;
    words.textContent = describe(upload);
    words.classList.toggle("failed", upload.state === "failed");
    const wanted = upload.active ? "pause" : upload.state === "failed" ? "retry" : "play";
    if (symbol === wanted) return;
    symbol = wanted;
    toggle.replaceChildren(icon(wanted));
    toggle.setAttribute("aria-label", `${{ pause: "Pause", retry: "Try again", play: "Go on with" }[wanted]} the upload of ${name}`);
    toggle.hidden = upload.state === "ready" || upload.problem?.code === "file_changed";
  }
  return { upload, element, show };
}

function describe(upload) {
  const share = `${percent(upload.sent / upload.total)} of ${bytes(upload.total)}`;
  if (upload.state === "ready") return `${bytes(upload.total)}, waits for the ones before it`;
  if (upload.state === "paused") return `Paused at ${share}`;
  if (upload.state === "failed") return `${upload.problem.detail} ${nextStep(upload.problem)}`.trim();
  if (upload.state === "waiting") {
    return upload.problem.status === 0 ? `No connection. Goes on from ${share} once it is back.` : `The server is busy. Goes on from ${share} in a moment.`;
  }
  if (upload.sent >= upload.total) return `${bytes(upload.total)} sent, being stored`;
  const speed = upload.rate ? ` · ${bytes(upload.rate)}/s` : "";
  const left = upload.secondsLeft !== null ? ` · ${clock(upload.secondsLeft)} left` : "";
  return share + speed + left;
}

function nextStep({ status }) {
  return {
    413: "Export it smaller, or cut it into parts.",
    415: "Choose a video such as MP4, MOV, MKV, AVI or WebM.",
    507: "Delete videos that are no longer needed, or free space on the disk, then try again.",
  }[status] ?? "";
}
