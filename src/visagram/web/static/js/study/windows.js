// The event windows of one video: list, add, change, delete; what was seen in each.
import { api, Problem } from "../api.js";
import { clock, h, icon, openDialog } from "../ui.js";
import { windowsChanged } from "./store.js";
import { windowStatistics } from "./window-statistics.js";

/** "1:02.5", "62.5" or "62,5" as seconds; NaN for anything else. */
export function seconds(text) {
  const parts = text.trim().replace(",", ".").split(":");
  if (parts.length > 3 || parts.some((part) => !/^\d+(\.\d+)?$/.test(part))) return NaN;
  return parts.reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** Seconds as people type them: 62.5 → "1:02.5". */
function asTime(value) {
  const tenths = Math.round(value * 1000) / 1000;
  const rest = Number((tenths % 60).toFixed(3));
  const text = `${rest < 10 ? "0" : ""}${rest}`;
  const minutes = Math.floor(tenths / 60);
  return minutes < 60 ? `${minutes}:${text}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${text}`;
}

/** Opens the dialog with a video's windows. */
export async function openWindows(video) {
  const list = h("ul", { class: "study-windows" });
  const state = { video, list, path: `/videos/${encodeURIComponent(video.id)}/windows` };
  const length = video.facts?.duration ? ` It is ${clock(video.facts.duration)} long.` : "";
  const body = h("div", { class: "stack" },
    h("p", {}, h("strong", {}, video.name), `.${length} A window is a stretch of it, such as a stimulus or an answer; it gets statistics of its own and rows in the table.`),
    list, addForm(state),
    h("p", { class: "small" }, h("a", { href: `/videos/${encodeURIComponent(video.id)}` }, "Mark windows while watching the video")));
  openDialog({ title: "Event windows", body, kind: "large" });
  await refresh(state);
}

async function refresh(state) {
  try {
    const { items } = await api.get(state.path, { limit: 200 });
    items.sort((a, b) => a.start - b.start);
    if (state.video.windows !== items.length) windowsChanged(state.video, items.length);
    state.list.replaceChildren(...(items.length ? items.map((item) => row(state, item)) : [h("li", { class: "study-quiet" }, "No windows yet. Add the first one below.")]));
    await windowStatistics(state.video, state.list);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    state.list.replaceChildren(h("li", { class: "notice danger" }, h("p", {}, error.detail), h("button", { class: "button", type: "button", onclick: () => refresh(state) }, "Try again")));
  }
}

let numbered = 0;

function fields(values) {
  const id = `window-${(numbered += 1)}`;
  const input = (name, label, value, placeholder) => h("div", { class: `field ${name}` }, h("label", { for: `${id}-${name}` }, label),
    h("input", { type: "text", id: `${id}-${name}`, name, value, placeholder, autocomplete: "off", maxlength: "100", "aria-describedby": `${id}-error`, required: true }));
  const error = h("p", { class: "study-window-error", id: `${id}-error`, role: "alert" });
  return { nodes: [input("name", "Name", values.name, "stimulus"), input("start", "Start", values.start, "0:05.0"), input("end", "End", values.end, "0:12.5")], error };
}

/** What the form says as {name, start, end}; null where it is not right, and then the form says why. */
function values(form, error, duration) {
  const { name, start, end } = form.elements;
  const [from, to] = [seconds(start.value), seconds(end.value)];
  const wrong = [
    [!name.value.trim(), name, "Give the window a name."],
    [Number.isNaN(from), start, "Write the start as 1:02.5 or as seconds."],
    [Number.isNaN(to), end, "Write the end as 1:02.5 or as seconds."],
    [to <= from, end, "The end must come after the start."],
    [to > (duration ?? Infinity) + 0.05, end, `The video ends at ${asTime(duration ?? 0)}.`],
  ].find(([is]) => is);
  for (const input of [name, start, end]) input.toggleAttribute("aria-invalid", false);
  error.textContent = wrong?.[2] ?? "";
  if (!wrong) return { name: name.value.trim(), start: from, end: to };
  wrong[1].setAttribute("aria-invalid", "true");
  wrong[1].focus();
  return null;
}

async function attempt(error, work) {
  try {
    await work();
    return true;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    error.textContent = `Not saved. ${problem.detail}`;
    return false;
  }
}

function addForm(state) {
  const { nodes, error } = fields({ name: "", start: "", end: "" });
  const form = h("form", { class: "study-window add", novalidate: true, "aria-label": "Add a window" }, nodes, h("button", { class: "button", type: "submit" }, icon("plus"), "Add"), error);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const value = values(form, error, state.video.facts?.duration);
    if (!value || !(await attempt(error, () => api.post(state.path, value)))) return;
    form.reset();
    form.elements.name.focus();
    await refresh(state);
  });
  return form;
}

function row(state, item) {
  const { nodes, error } = fields({ name: item.name, start: asTime(item.start), end: asTime(item.end) });
  const path = `${state.path}/${encodeURIComponent(item.id)}`;
  const mark = h("span", { class: "study-window-mark", role: "status" });
  const form = h("form", { class: "study-window", novalidate: true, "aria-label": `Window ${item.name}` }, nodes,
    h("div", { class: "study-window-end" },
      h("button", { class: "button icon quiet", type: "button", "aria-label": `Delete ${item.name}`, onclick: () => remove() }, icon("delete")), mark), error);
  const node = h("li", { data: { window: item.id } }, form, h("div", { class: "study-window-statistics" }));
  const commit = async () => {
    const value = values(form, error, state.video.facts?.duration);
    if (!value || (value.name === item.name && value.start === item.start && value.end === item.end)) return;
    mark.textContent = "Saving…";
    const done = await attempt(error, () => api.patch(path, value));
    mark.textContent = done ? "Saved" : "";
    if (!done) return;
    Object.assign(item, value);
    windowsChanged(state.video, state.video.windows);
    await windowStatistics(state.video, state.list);
  };
  const remove = async () => {
    if (!(await attempt(error, () => api.del(path)))) return;
    windowsChanged(state.video, state.video.windows - 1);
    const again = async () => {
      await attempt(error, () => api.post(state.path, { name: item.name, start: item.start, end: item.end }));
      await refresh(state);
    };
    const undo = h("button", { class: "button small", type: "button", onclick: again }, icon("undo"), "Undo");
    node.replaceChildren(h("p", { class: "row" }, `“${item.name}” is deleted.`, undo));
    undo.focus();
  };
  form.addEventListener("change", commit);
  form.addEventListener("submit", (event) => { event.preventDefault(); commit(); });
  return node;
}
