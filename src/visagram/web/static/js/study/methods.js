// The methods paragraph, to paste into a paper.
import { api, Problem } from "../api.js";
import { copyText } from "../copy.js";
import { debounce, h, icon } from "../ui.js";
import { problemNotice } from "./controls.js";
import { compared, scope, study } from "./store.js";

const place = document.getElementById("methods-text");
let asked = 0;

export function startMethods() {
  study.addEventListener("scope", load);
  study.addEventListener("compared", load);
  study.addEventListener("results", debounce(load, 600));
  load();
}

async function load() {
  const turn = (asked += 1);
  try {
    const { text } = await api.get("/study/methods", { ...compared, tag: scope.tag });
    if (turn === asked) show(text);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (turn === asked) place.replaceChildren(problemNotice(`The paragraph could not be written. ${error.detail}`, load));
  }
}

function show(text) {
  if (!text?.trim()) {
    place.replaceChildren(h("p", { class: "study-quiet" }, "There is nothing to describe yet: the paragraph appears with the first analysed video."));
    return;
  }
  const words = h("div", { class: "prose" }, paragraphs(text));
  const button = h("button", { class: "button", type: "button" }, icon("copy"), "Copy the paragraph");
  button.addEventListener("click", () => copyText(text.trim(), words));
  place.replaceChildren(h("div", { class: "panel study-methods" }, scope.tag ? h("p", { class: "muted small" }, `For the videos tagged “${scope.tag}”.`) : null, words, button));
}

/** What stands below the line "References" is a list of sources. */
function paragraphs(text) {
  const parts = text.trim().split(/\n\s*\n/);
  const from = parts.lastIndexOf("References");
  if (from < 0) return parts.map((part) => h("p", {}, unbroken(part)));
  const sources = parts.slice(from + 1).map((source) => h("li", {}, source));
  return [...parts.slice(0, from).map((part) => h("p", {}, unbroken(part))), h("h3", {}, "References"), h("ul", { class: "study-sources" }, sources)];
}

/** Keeps a number and its percent sign on one line; what is copied keeps plain spaces. */
const unbroken = (text) => text.replace(/(\d) %/g, "$1\u00a0%");
