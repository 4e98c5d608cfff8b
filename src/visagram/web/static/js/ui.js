// What every page shares: building the document, words for numbers, messages and dialogs.

/**
 * An element. `props`: `class`, `data` (an object), `vars` (CSS custom properties), `on…` (listeners), properties that
 * are not text (`checked`, `disabled`, `hidden`), else attributes; null and false leave one out.
 * Children are nodes, text or lists of them; text is never parsed as markup.
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) put(node, name, value);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function put(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "class") node.className = value;
  else if (name === "data") Object.assign(node.dataset, value);
  else if (name === "vars") for (const [key, text] of Object.entries(value)) node.style.setProperty(key, text);
  else if (name.startsWith("on")) node.addEventListener(name.slice(2).toLowerCase(), value);
  else if (name === "value" || (name in node && typeof value === "boolean")) node[name] = value;
  else node.setAttribute(name, value === true ? "" : value);
}

const SVG = "http://www.w3.org/2000/svg";

/** An icon out of icons.svg; the button or link around it carries the name. */
export function icon(name) {
  const node = document.createElementNS(SVG, "svg");
  node.setAttribute("class", "icon");
  node.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  node.append(use);
  return node;
}

/** Seconds as "0:31", "12:05" or "1:02:03"; "–" where unknown. */
export function clock(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** 0.6149 as "61 %" with a no-break space; what rounds to nothing or everything without being it is "<1 %" or ">99 %". */
export function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return "–";
  if (share > 0 && share < 0.01) return "<1\u00a0%";
  return share > 0.99 && share < 1 ? ">99\u00a0%" : `${Math.round(share * 100)}\u00a0%`;
}

/** Bytes as "4.2 MB", in powers of ten as file managers show them. */
export function bytes(number) {
  let amount = number ?? 0;
  for (const unit of ["bytes", "kB", "MB", "GB"]) {
    if (amount < 999.5) return `${amount >= 99.5 || unit === "bytes" ? Math.round(amount) : amount.toFixed(1)} ${unit}`;
    amount /= 1000;
  }
  return `${amount.toFixed(1)} TB`;
}

/** A foreign name with what could disguise it (control characters, direction overrides) made visible; put it in a <bdi>. */
export function printable(text) {
  return String(text ?? "").replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

/** "1 frame", "12,480 frames". */
export function count(number, noun, plural = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
}

const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 7]];

/** A `<time>` that reads "5 minutes ago" within a week and as a date before; the exact time is its title. */
export function when(iso) {
  const date = new Date(iso);
  return h("time", { datetime: iso, title: date.toLocaleString() }, ago(date));
}

function ago(date) {
  let amount = (Date.now() - date.getTime()) / 1000;
  if (amount < 45) return "just now";
  for (const [unit, limit] of STEPS) {
    if (Math.round(amount) < limit) return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-Math.round(amount), unit);
    amount /= limit;
  }
  return date.toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

/** Calls `work` once, `wait` ms after the last call. */
export function debounce(work, wait = 250) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), wait);
  };
}

let spoken = 0;
let waiting = 0;

/** Says `text` to a screen reader; of several within two seconds the last one is said. */
export function announce(text) {
  const region = document.getElementById("live");
  if (!region) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    spoken = Date.now();
    region.textContent = region.textContent === text ? `${text}\u00a0` : text;
  }, Math.max(50, spoken + 2000 - Date.now()));
}

/**
 * A message at the foot of the page. `kind`: "info" | "error" | "done". With `action` and `onAction` it has a button;
 * `focus` moves the keyboard there (when what had it is gone). It stays `seconds`, longer while it is looked at.
 * Returns `{close}`.
 */
export function toast(text, { action = "", onAction = null, kind = "info", seconds = action ? 10 : 6, focus = false } = {}) {
  const symbol = { error: "alert", done: "check" }[kind];
  const button = action && h("button", { class: "button quiet", type: "button", onclick: () => (close(), onAction?.()) }, action);
  const node = h("div", { class: `toast ${kind}` }, symbol && icon(symbol), h("p", {}, text), button || null,
    h("button", { class: "button icon quiet", type: "button", "aria-label": "Dismiss", onclick: () => close() }, icon("close")));
  let timer = 0;
  const hold = () => clearTimeout(timer);
  const run = () => { hold(); timer = setTimeout(close, seconds * 1000); };
  function close() {
    hold();
    node.remove();
  }
  for (const event of ["pointerenter", "focusin"]) node.addEventListener(event, hold);
  for (const event of ["pointerleave", "focusout"]) node.addEventListener(event, run);
  document.getElementById("toasts").append(node);
  announce(action ? `${text} ${action} is available.` : text);
  run();
  if (focus && button) button.focus();
  return { close };
}

/** The toast of a failure: a `Problem`'s own words. Anything else is a mistake of ours and is thrown on. */
export function toastProblem(error, options = {}) {
  if (error.name === "AbortError") return;
  if (error.name !== "Problem") throw error;
  toast(error.detail, { kind: "error", seconds: 10, ...options });
}

let numbered = 0;

/** A modal `<dialog>` with a heading, `body` and a row of `actions` (buttons); opened, removed once closed. */
export function openDialog({ title, body, actions = [], kind = "", onClose = null }) {
  const id = `dialog-${++numbered}`;
  const node = h("dialog", { class: `dialog ${kind}`, "aria-labelledby": id },
    h("div", { class: "dialog-head" }, h("h2", { id }, title),
      h("button", { class: "button icon quiet", type: "button", "aria-label": "Close", onclick: () => node.close() }, icon("close"))),
    h("div", { class: "dialog-body" }, body), actions.length ? h("div", { class: "actions" }, actions) : null);
  const back = document.activeElement;
  node.addEventListener("close", () => {
    node.remove();
    if (back?.isConnected) back.focus();
    onClose?.(node.returnValue);
  });
  document.body.append(node);
  node.showModal();
  return node;
}

/** Asks; resolves to true when `confirm` was pressed. `refuse` are the words for leaving it. */
export function confirmDialog({ title, text, confirm = "OK", refuse = "Cancel", danger = false }) {
  return new Promise((resolve) => {
    const yes = h("button", { class: `button ${danger ? "danger" : "primary"}`, type: "button", onclick: () => node.close("yes") }, confirm);
    const no = h("button", { class: "button", type: "button", autofocus: true, onclick: () => node.close("") }, refuse);
    const node = openDialog({ title, body: h("p", {}, text), actions: [no, yes], kind: "small", onClose: (value) => resolve(value === "yes") });
  });
}

/** Shows the banner of base.html while the browser is offline or `online.lost(true)` was called. */
export function online() {
  const banner = document.getElementById("offline");
  const show = (gone) => {
    if (!banner || banner.hidden === !gone) return;
    banner.hidden = !gone;
    announce(gone ? "No connection to Visagram." : "The connection is back.");
  };
  online.lost = show;
  addEventListener("offline", () => show(true));
  addEventListener("online", () => show(false));
  if (navigator.onLine === false) show(true);
}
online.lost = () => {};
