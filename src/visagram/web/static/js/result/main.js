// The result page: reads what was measured, puts the desk together, and reads it again after people were changed.
import { api } from "../api.js";
import { announce, online, toastProblem } from "../ui.js";
import { Boxes } from "./boxes.js";
import { Cards } from "./cards.js";
import { Controls } from "./controls.js";
import { Edits } from "./edits.js";
import { keys } from "./keys.js";
import { legend } from "./legend.js";
import { copyLink, follow, readLink } from "./link.js";
import { newer } from "./newer.js";
import { Overlay } from "./overlay.js";
import { Paint } from "./paint.js";
import { Playback } from "./playback.js";
import { Player } from "./player.js";
import { buildStage } from "./stage.js";
import { Store } from "./store.js";
import { inWords, nobody, problem, story, warnings } from "./story.js";
import { SeekBar } from "./strip.js";
import { LaneTable } from "./table.js";
import { buildTabs } from "./tabs.js";
import { Tiles } from "./tiles.js";
import { Timeline } from "./timeline.js";
import { zoomBar } from "./zoom.js";

const root = document.getElementById("result");
const find = (id) => document.getElementById(id);
const store = new Store(root.dataset.analysis, root.dataset.video);
const hooks = { mediaTime: () => null, boxesShown: () => [], ready: false };
window.visagram = hooks;

async function load() {
  const video = `/videos/${encodeURIComponent(store.videoId)}`;
  const [about, analysis, report, people, windows] = await Promise.all([
    api.get(video),
    api.get(store.path),
    api.get(`${store.path}/report`),
    api.get(`${store.path}/people`, { limit: 1000 }),
    api.get(`${video}/windows`),
  ]);
  Object.assign(store, { video: about, analysis, report, people: people.items, windows: windows.items });
}

async function start() {
  online();
  try {
    await load();
  } catch (error) {
    if (error.name !== "Problem") throw error;
    root.setAttribute("aria-busy", "false");
    root.classList.add("is-failed");
    problem(find("problems"), error, () => {
      root.classList.remove("is-failed");
      find("problems").replaceChildren();
      start();
    });
    return;
  }
  const duration = store.facts.duration ?? store.report.video.duration;
  store.range = [0, Math.max(duration, 1e-3)];
  store.view = [...store.range];
  show();
}

function show() {
  root.classList.toggle("is-still", store.facts.still);
  root.classList.toggle("is-empty", !store.people.length);
  story(store, find);
  const words = inWords(store, find("in-words"));
  warnings(store, find("problems"));
  newer(store, find("problems"));
  const stage = buildStage(store, find("stage"));
  const player = new Player(store, stage.screen);
  const tiles = new Tiles(store.path, () => timeline?.redraw());
  const boxes = new Boxes(store.path, {
    people: store.people.length,
    onLoad: () => overlay?.schedule(),
  });
  const overlay = new Overlay(store, player, boxes, stage.canvas);
  store.frameBeside = (time, step) => frameBeside(boxes, player, time, step);
  store.frameLength = 1 / (store.facts.rate || 25);
  const controls = new Controls(store, player, stage.frame, { onCopy: () => copyLink(store) });
  stage.controls.append(controls.bar);
  if (store.facts.still) stage.seek.hidden = true;
  else new SeekBar(store, player, stage.seek, controls);
  stage.screen.addEventListener("click", () => {
    player.toggle();
    stage.screen.focus({ preventScroll: true });
  });
  const edits = new Edits(store, refresh);
  new Cards(store, edits, player, { root: find("cards"), bar: find("merge-bar") });
  let timeline = null;
  const place = readLink();
  if (!store.people.length) nobody(store, find("people"), find("lanes-panel"));
  if (place.person !== null && store.personById(place.person)) store.person = place.person;
  if (place.time !== null) store.time = Math.min(place.time, store.range[1]);
  new Playback(store, player, stage.note).follow();
  store.emit("time", store.time);
  store.emit("person", store.person);
  follow(store, player);
  keys(store, player, controls, { onMark });
  buildTabs(store, player, edits, find);
  Object.assign(hooks, { mediaTime: () => player.frameTime, boxesShown: () => overlay.shown });

  async function lanes() {
    if (!store.people.length || store.facts.still) {
      find("lanes-panel").hidden = true;
      return;
    }
    const table = new LaneTable(store, tiles, player, find("lanes-foot"));
    await tiles.open();
    legend(store, find("legend"));
    zoomBar(store, find("zoom"), { onMark });
    timeline = new Timeline(store, player, tiles, new Paint(), {
      root: find("timeline"),
      onTable: (id) => table.open(id),
    });
  }

  async function refresh() {
    await load();
    boxes.reset();
    if (timeline) await tiles.open();
    if (store.person !== null && !store.personById(store.person)) store.person = null;
    story(store, find);
    words.again();
    store.emit("people");
    boxes.want(player.frameTime ?? store.time);
  }

  function onMark(which) {
    const marks = { ...store.marks, [which]: store.time };
    if (marks.start !== null && marks.end !== null && marks.end <= marks.start) marks[which === "start" ? "end" : "start"] = null;
    store.set("marks", marks);
    announce(which === "start" ? "The window starts here." : "The window ends here.");
  }

  lanes().then(
    () => {
      hooks.ready = true;
      root.setAttribute("aria-busy", "false");
      root.classList.add("is-ready");
      performance.mark("visagram:ready");
    },
    (error) => {
      toastProblem(error);
      problem(find("timeline"), error, () => location.reload());
    },
  );
}

/** The time inside the frame `step` frames from the one at `time`: between its borders, so that rounding keeps it. */
function frameBeside(boxes, player, time, step) {
  const { facts } = store;
  const length = 1 / (facts.rate || 25);
  if (facts.variable_rate) {
    const row = boxes.beside(player.frameTime ?? time, step);
    if (row !== null && Math.abs(row - time) < 20 * length) return row + Math.min(length / 2, 0.004);
  }
  return (Math.floor(time / length + 1e-3) + step + 0.5) * length;
}

start();
