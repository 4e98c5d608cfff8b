// Getting going: what a study is, and which of the three steps are done.
import { count, icon } from "../ui.js";
import { known, videos } from "./store.js";

const guide = document.getElementById("guide");
const summary = document.getElementById("summary");
const FIRST = "All videos as one data set: who is in them, under which condition, and how apparent expression differs.";
const UPLOAD = "Drop them into the library; each is analysed at once. A clip per participant and condition is best.";
const LABEL = "A participant, a condition and tags for each: typed into a table, pasted from a spreadsheet, or from a CSV.";
const COMPARE = "Figures with intervals, differences in plain words, one tidy table, and a methods paragraph to cite.";

/** Analysed videos with a participant and a condition, and whether two conditions have two participants each. */
function standing() {
  const all = [...videos.values()];
  const analysed = all.filter((video) => video.latest?.state === "done");
  const labelled = all.filter((video) => video.participant && video.condition);
  const groups = new Map();
  for (const video of labelled.filter((each) => analysed.includes(each))) {
    groups.set(video.condition, (groups.get(video.condition) ?? new Set()).add(video.participant));
  }
  const comparable = [...groups.values()].filter((people) => people.size >= 2).length >= 2;
  return { all: all.length, analysed: analysed.length, labelled: labelled.length, comparable };
}

export function showGuide() {
  const { all, analysed, labelled, comparable } = standing();
  guide.hidden = comparable;
  const who = `${count(known("participant").length, "participant")} under ${count(known("condition").length, "condition")}`;
  const labels = labelled === all ? ` of ${who}` : `, ${labelled || "none yet"} with participant and condition`;
  const done = analysed === all ? "All are analysed." : `${analysed} ${analysed === 1 ? "is" : "are"} analysed.`;
  summary.textContent = all ? `${count(all, "video")}${labels}. ${done}` : FIRST;
  step("videos", analysed > 0, all ? `${count(all, "video")}, ${analysed} analysed.` : UPLOAD);
  const have = `${labelled} of ${count(all, "video")} ${labelled === 1 ? "has" : "have"} a participant and a condition.`;
  step("labels", all > 0 && labelled === all, all ? have : LABEL);
  step("compare", false, all ? "Needs two conditions with at least two participants each." : COMPARE);
  for (const id of ["step-labels", "step-compare"]) document.querySelector(`#${id} .button`).hidden = !all;
  const next = guide.querySelector("li:not(.done) .button");
  for (const button of guide.querySelectorAll(".button")) button.classList.toggle("primary", button === next);
}

function step(name, done, text) {
  const node = document.getElementById(`step-${name}`);
  node.classList.toggle("done", done);
  node.querySelector("p").textContent = text;
  const title = node.querySelector("h3");
  title.replaceChildren(title.firstChild.textContent);
  if (!done) return;
  const tick = icon("check");
  tick.removeAttribute("aria-hidden");
  tick.setAttribute("role", "img");
  tick.setAttribute("aria-label", "done");
  title.append(" ", tick);
}
