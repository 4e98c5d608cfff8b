// The study page: loads the videos, then hands each section its part.
import { Problem } from "../api.js";
import { watch } from "../events.js";
import { debounce } from "../ui.js";
import { startCompare } from "./compare.js";
import { problemNotice } from "./controls.js";
import { showGuide } from "./guide.js";
import { openImport } from "./import.js";
import { startMethods } from "./methods.js";
import { loadVideos, study, takeAnalysis, videos } from "./store.js";
import { startTidy } from "./tidy.js";
import { startVideos } from "./videos.js";

const problem = document.getElementById("study-problem");
const loading = document.getElementById("study-loading");
let started = false;

async function open() {
  problem.replaceChildren();
  loading.hidden = false;
  try {
    await loadVideos();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    problem.replaceChildren(problemNotice(`The videos could not be loaded. ${error.detail}`, open));
  } finally {
    loading.hidden = true;
  }
}

function show() {
  showGuide();
  document.getElementById("study").hidden = videos.size === 0;
  if (started || !videos.size) return;
  started = true;
  startVideos();
  startCompare();
  startTidy();
  startMethods();
}

for (const button of document.querySelectorAll('[data-open="import"]')) button.addEventListener("click", openImport);
study.addEventListener("videos", show);
await open();

const reload = debounce(() => loadVideos().catch((error) => {
  if (!(error instanceof Problem)) throw error;
}), 1000);
watch(null, (analysis) => takeAnalysis(analysis) || reload());
