// The library: the list of videos, its filters, and everything one can do with a row.

import { api, Problem } from "./api.js";
import { watch } from "./events.js";
import { analyseAgain } from "./form.js";
import { askAbout } from "./upload.js";
import { uploadQueue } from "./queue.js";
import { makeRow } from "./row.js";
import { announce, count, debounce, h, toast, toastProblem } from "./ui.js";

const PAGE = 24;
const at = (id) => document.getElementById(id);
const { limits } = JSON.parse(at("page-data").textContent);
const filters = { query: "", state: "", tag: "", ...Object.fromEntries(new URLSearchParams(location.search)) };
const rows = new Map();
const tags = new Set();
let total = 0;
let latest = 0;
let answered = 0;

/** Fills the list from the server: the first page, or what follows the rows that are there. */
async function load({ more = false } = {}) {
  const mine = ++latest;
  const offset = more ? rows.size : 0;
  let answer;
  try {
    answer = await api.get("/videos", { ...chosen(), limit: more ? PAGE : Math.max(PAGE, Math.min(rows.size, 100)), offset });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (mine !== latest) return;
    answered = mine;
    return failed(problem);
  }
  if (mine !== latest) return;
  answered = mine;
  total = answer.total;
  const focused = document.activeElement;
  const back = focused.closest(".video")?.dataset.id;
  if (!more) {
    const there = new Set(answer.items.map((video) => video.id));
    for (const id of [...rows.keys()]) if (!there.has(id)) drop(id);
  }
  answer.items.forEach((video, index) => place(video, offset + index));
  if (back && !focused.isConnected) rows.get(back)?.element.querySelector(focused.matches(".more") ? ".more" : "a.name").focus();
  showState();
}

/** After a change made here: an answer that is still on its way may not know of it, so the list is asked for anew. */
function changedHere() {
  showState();
  if (answered !== latest) load();
}

const chosen = () => ({ query: filters.query, state: filters.state, tag: filters.tag });
const filtered = () => Boolean(filters.query || filters.state || filters.tag);

/** Shows a video as row number `index`. A row that is right stays untouched, and with it its focus and open menu. */
function place(video, index) {
  const list = at("videos");
  const old = rows.get(video.id);
  const right = old && JSON.stringify(old.video) === JSON.stringify(video);
  const row = right ? old : makeRow(video, { remove, replace, filterTag: (tag) => setFilter("tag", tag) });
  if (old && !right) old.element.replaceWith(row.element);
  rows.set(video.id, row);
  if (list.children[index] !== row.element) list.insertBefore(row.element, list.children[index] ?? null);
  for (const tag of video.tags) tags.add(tag);
}

/** Shows a video that was changed here in the row that it has now. */
function replace(video) {
  const row = rows.get(video.id);
  if (row) place(video, [...at("videos").children].indexOf(row.element));
  changedHere();
  return rows.get(video.id);
}

function drop(id) {
  rows.get(id)?.element.remove();
  rows.delete(id);
}

function showState() {
  const bare = total === 0 && !filtered();
  at("loading").hidden = true;
  at("trouble").hidden = true;
  at("hero").hidden = !bare;
  at("shelf").hidden = bare;
  at("nothing").hidden = total > 0 || bare;
  at("more").hidden = rows.size >= total;
  at("shown").textContent = rows.size < total ? `${rows.size} of ${total} shown` : "";
  at("count").textContent = filtered() ? `${count(total, "video")} found` : count(total, "video");
  fillTags();
}

function failed(problem) {
  at("loading").hidden = true;
  at("shelf").hidden = at("hero").hidden = true;
  at("trouble").hidden = false;
  at("trouble-detail").textContent = problem.detail;
}

function fillTags() {
  if (filters.tag) tags.add(filters.tag);
  const names = [...tags].sort((a, b) => a.localeCompare(b));
  at("tag-field").hidden = names.length === 0;
  at("tag").replaceChildren(h("option", { value: "" }, "Any tag"), ...names.map((name) => h("option", { value: name }, name)));
  at("tag").value = filters.tag;
}

async function setFilter(name, value) {
  filters[name] = value;
  at(name).value = value;
  const query = new URLSearchParams(Object.entries(chosen()).filter(([, text]) => text)).toString();
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
  await load();
  announce(at("count").textContent);
}

async function remove(video) {
  try {
    const { undo_seconds: seconds, restore_url: url } = await api.del(`/videos/${video.id}`);
    if (rows.has(video.id)) total -= 1;
    drop(video.id);
    changedHere();
    toast(`“${video.name}” is deleted.`, { action: "Undo", seconds, focus: true, onAction: () => restore(url) });
  } catch (problem) {
    toastProblem(problem);
  }
}

async function restore(url) {
  try {
    await api.post(url);
    await load();
    toast("The video is back.", { kind: "done" });
  } catch (problem) {
    toastProblem(problem);
  }
}

/** An analysis has news: its row shows it; a video that is not here yet is fetched, once. */
const fetchNew = debounce(() => load(), 400);
const asked = new Set();
function news(analysis) {
  const row = rows.get(analysis.video_id);
  if (row) {
    row.update(analysis);
    complete(analysis);
  } else if (!filtered() && rows.size <= PAGE && !asked.has(analysis.video_id)) {
    asked.add(analysis.video_id);
    fetchNew();
  }
}

/** Poster and length come while a video is analysed, or soon after: asks at each stage, and a few times at the end. */
const stages = new Map();
function complete({ video_id: id, state, progress }, tries = 5) {
  const stage = `${state} ${progress.stage}`;
  if (!rows.get(id)?.incomplete() || (stages.get(id) === stage && tries === 5)) return;
  stages.set(id, stage);
  const again = state === "done" && tries > 0 ? () => setTimeout(() => complete({ video_id: id, state, progress }, tries - 1), 3000) : () => null;
  api.get(`/videos/${id}`).then((video) => rows.get(id)?.refresh(video), (problem) => problem.name === "Problem" || Promise.reject(problem)).then(again);
}

async function trySample(event) {
  const button = event.currentTarget;
  button.disabled = true;
  try {
    const video = await api.post("/videos/sample");
    location.assign(video.latest ? `/analyses/${video.latest.id}` : `/videos/${video.id}`);
  } catch (problem) {
    button.disabled = false;
    toastProblem(problem);
  }
}

async function arrived(upload, last) {
  const alone = last && !at("shelf").dataset.busy;
  if (!upload.video) return load();
  try {
    const video = await api.get(`/videos/${upload.video}`);
    if (alone && video.latest) return location.assign(`/analyses/${video.latest.id}`);
    if (!rows.has(video.id)) total += 1;
    place(video, 0);
    changedHere();
  } catch (problem) {
    toastProblem(problem);
  }
}

/** `/#video=…` is where the address of a video leads that was not analysed yet. */
async function analyseNamed() {
  const id = new URLSearchParams(location.hash.slice(1)).get("video");
  if (!id) return;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    await analyseAgain(await api.get(`/videos/${id}`));
  } catch (problem) {
    toastProblem(problem);
  }
}

function setUpUploads() {
  const picker = at("files");
  const queue = uploadQueue(at("uploads"), { choose: () => picker.click(), arrived });
  const take = (files) => {
    const given = [...files];
    if (given.length) askAbout(given, limits, (file, meta) => {
      if (given.length > 1) at("shelf").dataset.busy = "yes";
      queue.add(file, meta);
    });
  };
  picker.addEventListener("change", () => {
    take(picker.files);
    picker.value = "";
  });
  for (const button of document.querySelectorAll("[data-choose]")) button.addEventListener("click", () => picker.click());
  for (const button of document.querySelectorAll("[data-sample]")) button.addEventListener("click", trySample);

  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files") && !document.querySelector("dialog[open]");
  let depth = 0;
  const mark = (over) => {
    depth = over;
    document.body.classList.toggle("dropping", depth > 0);
  };
  addEventListener("dragenter", (event) => holdsFiles(event) && mark(depth + 1));
  addEventListener("dragleave", (event) => holdsFiles(event) && mark(Math.max(0, depth - 1)));
  addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    mark(0);
    if (!holdsFiles(event)) return;
    event.preventDefault();
    take(event.dataTransfer.files);
  });
}

for (const name of ["query", "state", "tag"]) at(name).value = filters[name];
at("query").addEventListener("input", debounce(() => setFilter("query", at("query").value.trim())));
for (const name of ["state", "tag"]) at(name).addEventListener("change", () => setFilter(name, at(name).value));
at("filters").addEventListener("submit", (event) => event.preventDefault());
at("clear").addEventListener("click", () => {
  for (const name of ["query", "tag"]) at(name).value = filters[name] = "";
  setFilter("state", "");
  at("query").focus();
});
at("more").addEventListener("click", async () => {
  const before = rows.size;
  await load({ more: true });
  at("videos").children[before]?.querySelector("a.name")?.focus();
});
at("again").addEventListener("click", () => load());
addEventListener("online", () => load());
addEventListener("pageshow", (event) => event.persisted && load());
setUpUploads();
watch(null, news);
load();
analyseNamed();
