// The table of videos: filter, order, selection; cells are in cell.js, what the selection can do in bulk.js.
import { announce, clock, count, h, icon } from "../ui.js";
import { showBulk } from "./bulk.js";
import { editableCell } from "./cell.js";
import { pasteBlock } from "./paste.js";
import { FIELDS, known, saveAgain, study, unsavedAll, videos } from "./store.js";
import { openWindows } from "./windows.js";

const ROWS = matchMedia("(max-width: 900px)").matches ? 20 : 50;
const STATES = { queued: "waiting", running: "running", done: "analysed", failed: "failed", cancelled: "cancelled" };
const COLUMNS = [
  ["name", "Video"], ["participant", "Participant"], ["condition", "Condition"], ["tags", "Tags"],
  ["state", "Analysis"], ["people", "People", "number"], ["windows", "Windows"],
];
const SORTS = {
  name: (video) => video.name, participant: (video) => video.participant ?? "\uffff", condition: (video) => video.condition ?? "\uffff",
  state: (video) => stateOf(video), people: (video) => String(video.latest?.people ?? ""),
};

const rows = new Map();
const selected = new Set();
const view = { sort: "name", down: false, limit: ROWS, last: null, ids: "" };
const table = document.getElementById("videos-table");
// Narrow screens show rows as cards, and `display` takes the roles of table parts away: hence they are written down.
const body = h("tbody", { role: "rowgroup" });
const all = h("input", { type: "checkbox", "aria-label": "Select all shown videos" });
const filter = document.getElementById("filter");

export function startVideos() {
  table.append(h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, h("td", { role: "cell", class: "pick" }, h("label", {}, all, h("span", { "aria-hidden": "true" }, "Select all"))), COLUMNS.map(heading))), body);
  all.addEventListener("change", () => select(shownVideos(), all.checked));
  filter.addEventListener("submit", (event) => event.preventDefault());
  filter.order.replaceChildren(...COLUMNS.filter(([name]) => SORTS[name]).flatMap(([name, label]) => [
    h("option", { value: name }, `Sort by ${label.toLowerCase()}`), h("option", { value: `${name} down` }, `Sort by ${label.toLowerCase()}, reversed`)]));
  filter.order.addEventListener("input", () => {
    const [sort, down] = filter.order.value.split(" ");
    Object.assign(view, { sort, down: Boolean(down) });
  });
  filter.addEventListener("input", () => { view.limit = ROWS; arrange(); announce(document.getElementById("shown").textContent); });
  document.getElementById("filter-clear").addEventListener("click", () => { filter.reset(); arrange(); filter.text.focus(); });
  document.getElementById("videos-more").addEventListener("click", more);
  body.addEventListener("paste", (event) => pasteBlock(event, shownVideos()));
  study.addEventListener("videos", refresh);
  study.addEventListener("saving", showSaved);
  refresh();
  showSaved();
}

const clearSelection = () => select([...selected].map((id) => videos.get(id)).filter(Boolean), false);

function heading([name, label, kind]) {
  const cell = h("th", { scope: "col", role: "columnheader", class: kind === "number" ? "" : "word" });
  if (!SORTS[name]) return cell.append(label), cell;
  const button = h("button", { class: "study-sort", type: "button" }, label, icon("down"));
  button.addEventListener("click", () => {
    view.down = view.sort === name && !view.down;
    view.sort = name;
    arrange();
  });
  cell.dataset.sort = name;
  cell.append(button);
  return cell;
}

function stateOf(video) {
  return video.latest ? STATES[video.latest.state] : "not analysed";
}

function build(video) {
  const pick = h("input", { type: "checkbox", "aria-label": `Select ${video.name}` });
  pick.addEventListener("click", (event) => pickRow(video, pick.checked, event.shiftKey));
  const row = h("tr", { role: "row", data: { id: video.id } },
    h("td", { role: "cell", class: "pick" }, pick),
    h("th", { scope: "row", role: "rowheader" }, h("a", { href: `/videos/${encodeURIComponent(video.id)}` }, video.name), h("span", { class: "study-length" }, clock(video.facts?.duration))),
    FIELDS.map((field) => editableCell(video, field)),
    h("td", { role: "cell", class: "word state", data: { label: "Analysis" } }, h("span", { class: "badge" })),
    h("td", { role: "cell", class: "people", data: { label: "People" } }),
    h("td", { role: "cell", class: "word windows", data: { label: "Windows" } }, h("button", { class: "button small quiet", type: "button", onclick: () => openWindows(video) })));
  const parts = { row, pick, badge: row.querySelector(".badge"), people: row.querySelector(".people"), windows: row.querySelector(".windows button") };
  rows.set(video.id, parts);
  fill(parts, video);
  return parts;
}

function refresh() {
  for (const [id, row] of rows) {
    if (videos.has(id)) fill(row, videos.get(id));
    else {
      rows.delete(id);
      selected.delete(id);
    }
  }
  choices(filter.condition, "All conditions", known("condition"), "No condition");
  choices(filter.tag, "All tags", known("tags"), "No tag");
  const ids = [...videos.keys()].join();
  if (view.ids !== ids) arrange();
  view.ids = ids;
}

function fill({ badge, people, windows }, video) {
  badge.className = `badge ${video.latest?.state ?? "queued"}`;
  badge.textContent = stateOf(video);
  badge.title = video.latest?.error?.detail ?? "";
  people.textContent = video.latest?.people ?? "–";
  windows.textContent = video.windows ? count(video.windows, "window") : "add";
  windows.setAttribute("aria-label", video.windows ? `${count(video.windows, "window")} of ${video.name}` : `Add a window to ${video.name}`);
}

function choices(field, everything, values, none) {
  const chosen = field.value;
  const options = [["", everything], ...values.map((value) => [`=${value}`, value]), ["-", none]];
  if (options.map(([value]) => value).join("\n") === [...field.options].map(({ value }) => value).join("\n")) return;
  field.replaceChildren(...options.map(([value, label]) => h("option", { value }, label)));
  field.value = options.some(([value]) => value === chosen) ? chosen : "";
}

const fits = (chosen, values) => !chosen || (chosen === "-" ? !values.length : values.includes(chosen.slice(1)));

function matching() {
  const text = filter.text.value.trim().toLowerCase();
  const found = [...videos.values()].filter((video) =>
    (!text || `${video.name}\n${video.participant ?? ""}`.toLowerCase().includes(text))
    && fits(filter.condition.value, video.condition ? [video.condition] : []) && fits(filter.tag.value, video.tags)
    && (!filter.incomplete.checked || !video.participant || !video.condition));
  const by = SORTS[view.sort];
  found.sort((a, b) => by(a).localeCompare(by(b), "en", { numeric: true }) || a.name.localeCompare(b.name, "en", { numeric: true }));
  return view.down ? found.reverse() : found;
}

/** Puts the rows in order; not after each change of a value, so that a row stays where it is being edited. */
function arrange() {
  const found = matching();
  const shown = found.slice(0, view.limit);
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  body.replaceChildren(...shown.map((video) => (rows.get(video.id) ?? build(video)).row));
  focused?.focus();
  for (const cell of table.querySelectorAll("th[data-sort]")) {
    const order = cell.dataset.sort === view.sort ? (view.down ? "descending" : "ascending") : null;
    if (order) cell.setAttribute("aria-sort", order);
    else cell.removeAttribute("aria-sort");
  }
  filter.order.value = `${view.sort}${view.down ? " down" : ""}`;
  table.hidden = !found.length;
  document.getElementById("videos-none").hidden = found.length > 0;
  document.getElementById("shown").textContent =
    found.length === videos.size ? count(videos.size, "video") : `${found.length.toLocaleString("en")} of ${count(videos.size, "video")}`;
  const button = document.getElementById("videos-more");
  button.hidden = shown.length === found.length;
  button.textContent = `Show ${Math.min(ROWS, found.length - shown.length)} more of ${found.length - shown.length}`;
  marks();
}

function more() {
  const first = view.limit;
  view.limit += ROWS;
  arrange();
  body.children[first]?.querySelector("input, a")?.focus();
}

const shownVideos = () => [...body.children].map(({ dataset }) => videos.get(dataset.id)).filter(Boolean);

function pickRow(video, on, range) {
  const shown = shownVideos();
  const [from, to] = [shown.findIndex(({ id }) => id === view.last), shown.indexOf(video)].sort((a, b) => a - b);
  select(range && from >= 0 ? shown.slice(from, to + 1) : [video], on);
  view.last = video.id;
}

function select(some, on) {
  for (const { id } of some) {
    if (on) selected.add(id);
    else selected.delete(id);
  }
  marks();
  showBulk([...selected].map((id) => videos.get(id)), clearSelection);
}

function marks() {
  for (const [id, { row, pick }] of rows) {
    pick.checked = selected.has(id);
    row.classList.toggle("selected", pick.checked);
  }
  const shown = shownVideos();
  const picked = shown.filter(({ id }) => selected.has(id)).length;
  all.checked = picked > 0 && picked === shown.length;
  all.indeterminate = picked > 0 && picked < shown.length;
}

function showSaved() {
  const place = document.getElementById("saved");
  const failed = unsavedAll().filter(({ state }) => state === "failed");
  const saving = unsavedAll().length - failed.length;
  place.className = `study-saved small ${failed.length ? "failed" : saving ? "saving" : "saved"}`;
  if (failed.length) {
    place.replaceChildren(icon("alert"), `${count(failed.length, "change")} not saved`,
      h("button", { class: "button small", type: "button", onclick: saveAgain }, "Try again"));
  } else place.replaceChildren(...(saving ? ["Saving…"] : [icon("check"), "All changes saved"]));
  if (failed.length) announce(`${count(failed.length, "change")} not saved.`);
}
