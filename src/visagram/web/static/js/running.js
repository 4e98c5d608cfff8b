// An analysis while it runs: how far it is, what it sees, and why it stopped if it did. The result replaces the page.

import { api } from "./api.js";
import { explain } from "./causes.js";
import { watch } from "./events.js";
import { analyseAgain } from "./form.js";
import { preview } from "./preview.js";
import { announce, clock, confirmDialog, count, percent, toastProblem } from "./ui.js";

const ORDER = ["wait", "probe", "analyse", "summarise", "done"];
/** Share of the whole that is over when a stage begins: what the one bar shows. */
const BEGINS = { wait: 0, probe: 0, analyse: 0.02, summarise: 0.96, done: 1 };
const SAY_EVERY = 15000;
const CANCELLED = { what: "The analysis was cancelled.", next: "Nothing of it was kept; the video is still in the library.", detail: "", again: true };

const at = (id) => document.getElementById(id);
const page = JSON.parse(at("page-data").textContent);
const show = preview({ screen: at("screen"), picture: at("picture"), canvas: at("boxes"), waiting: at("waiting") });
let current = null;
let said = { stage: "", time: 0 };

function update(analysis) {
  current = analysis;
  const { state } = analysis;
  at("working").hidden = state !== "queued" && state !== "running";
  at("stopped").hidden = state !== "failed" && state !== "cancelled";
  if (state === "done") finish();
  else if (state === "failed" || state === "cancelled") stopped(analysis);
  else working(analysis);
}

function working({ state, progress, attempt, preview: seen }) {
  const stage = state === "queued" ? "wait" : progress.stage;
  const known = stage === "analyse" && progress.total > 0;
  const part = known ? Math.min(1, progress.completed / progress.total) : 0;
  const next = BEGINS[ORDER[ORDER.indexOf(stage) + 1]] ?? 1;
  const overall = BEGINS[stage] + (next - BEGINS[stage]) * part;
  const headline = {
    wait: "Waiting for its turn.",
    probe: "Reading the video.",
    analyse: "Measuring the apparent expression of every face.",
    summarise: "Nearly there: summing up.",
  }[stage];
  setText("headline", headline ?? "Working.");
  if (stage === "wait") at("overall").removeAttribute("value");
  else at("overall").value = overall;
  setText("share", stage === "wait" ? "–" : percent(overall));
  setText("frames", known ? `${progress.completed.toLocaleString("en")} of ${count(progress.total, "frame")}` : "");
  setText("rate", progress.rate === null ? "–" : progress.rate >= 10 ? Math.round(progress.rate).toLocaleString("en") : progress.rate.toFixed(1));
  setText("left", clock(progress.seconds_left));
  setText("attempt", attempt > 1 ? `attempt ${attempt}: the one before was interrupted` : "until the result");
  for (const item of at("stages").children) {
    const place = ORDER.indexOf(item.dataset.stage) - ORDER.indexOf(stage);
    item.classList.toggle("done", place < 0);
    if (place === 0) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
    item.querySelector(".visually-hidden").textContent = place < 0 ? " (done)" : "";
  }
  document.title = `${stage === "wait" ? "Waiting" : percent(overall)} · ${page.name} · Visagram`;
  if (seen) look(seen);
  speak(stage, headline, overall);
}

function look(seen) {
  show(seen);
  setText("faces", String(seen.faces.length));
  setText("faces-note", seen.faces.length === 1 ? "face" : "faces");
  setText("caption", `At ${clock(seen.time)}: the newest analysed picture, with the apparent expression of each face`);
}

function speak(stage, headline, overall) {
  if (stage === said.stage && Date.now() - said.time < SAY_EVERY) return;
  if (said.stage || stage !== "wait") announce(stage === "analyse" ? `${percent(overall)} done` : headline);
  said = { stage, time: Date.now() };
}

function stopped({ state, error }) {
  const cancelled = state === "cancelled";
  const { what, next, detail, again } = cancelled ? CANCELLED : explain(error);
  setText("headline", what);
  setText("next", next);
  at("details").hidden = !detail;
  setText("detail", detail && `${error.code}: ${detail}`);
  at("retry").lastChild.textContent = cancelled ? "Analyse it after all" : "Try again";
  at("retry").classList.toggle("primary", again);
  document.title = `${cancelled ? "Cancelled" : "Failed"} · ${page.name} · Visagram`;
  announce(what);
}

/** Shows the result, which has this page's address. */
function finish() {
  const key = `visagram-opened-${page.analysis}`;
  stop();
  setText("headline", "Done.");
  if (Date.now() - Number(sessionStorage.getItem(key)) < 10000) {
    // Reloaded a moment ago and this page came again: leave it to the person rather than reload for ever.
    at("finished").hidden = false;
    at("result").href = location.pathname;
    return;
  }
  sessionStorage.setItem(key, String(Date.now()));
  announce("The analysis is done.");
  location.reload();
}

function setText(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

async function act(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (problem) {
    toastProblem(problem);
  } finally {
    button.disabled = false;
  }
}

at("cancel").addEventListener("click", () => act(at("cancel"), async () => {
  const sure = await confirmDialog({ title: "Cancel this analysis?", text: "What was measured so far is thrown away. The video stays in the library.", confirm: "Cancel the analysis", refuse: "Keep going" });
  if (sure) update((await api.post(`/analyses/${page.analysis}/cancel`)) ?? (await api.get(`/analyses/${page.analysis}`)));
}));
at("retry").addEventListener("click", () => act(at("retry"), async () => update(await api.post(`/analyses/${page.analysis}/retry`))));
at("other").addEventListener("click", () => act(at("other"), () => analyseAgain({ id: page.video, name: page.name, settings: current?.settings })));

const refresh = async () => {
  try {
    update(await api.get(`/analyses/${page.analysis}`));
  } catch (problem) {
    toastProblem(problem);
  }
};
const stop = watch(page.analysis, update);
addEventListener("online", refresh);
refresh();
