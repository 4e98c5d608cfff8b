// How it was measured: models, settings, and what people changed afterwards.
import { api } from "../api.js";
import { analyseAgain, settingLabel } from "../form.js";
import { count, h, icon, toastProblem, when } from "../ui.js";
import { grid } from "./grid.js";
import { fillWith } from "./waiting.js";
import { exact, moment, named } from "./words.js";

export function method({ store, edits, panel }) {
  return fillWith(panel, async () => {
    const { items } = await api.get(`${store.path}/changes`);
    const { report, analysis, video } = store;
    const again = () => analyseAgain({ id: video.id, name: video.name, settings: analysis.settings }).catch(toastProblem);
    return [
      h(
        "div",
        { class: "row spread" },
        h("div", {}, h("h2", {}, "Method"), h("p", { class: "muted" }, "The same video, models and settings give the same result.")),
        h("button", { class: "button", type: "button", onclick: again }, icon("retry"), "Analyse with other settings"),
      ),
      models(report.models),
      settings(report.settings),
      changes(items, edits),
      use(),
    ];
  });
}

function models(found) {
  const rows = found.map((model) => [
    h("a", { href: `/models/${encodeURIComponent(model.name)}` }, model.name),
    model.task,
    model.version,
    model.licence,
    model.trained_on,
    measured(model.metrics),
    h("code", {}, model.sha256 ?? model.hash ?? ""),
  ]);
  const table = grid("Models", ["Name", "Task", "Version", "Licence", "Trained on", "Measured", "SHA-256"], rows, {
    words: [1, 2, 3, 4, 5, 6],
    cards: true,
  });
  table.classList.add("models");
  return table;
}

function measured(metrics) {
  if (!metrics) return null;
  const parts = [
    metrics.accuracy && `accuracy ${exact(metrics.accuracy)}`,
    metrics.macro_recall && `mean recall ${exact(metrics.macro_recall)}`,
    metrics.ece_debiased !== undefined && `calibration error ${exact(metrics.ece_debiased)}`,
    metrics.ece_15 !== undefined && `calibration error, uncorrected, ${exact(metrics.ece_15)}`,
  ].filter(Boolean);
  return `${parts.join(", ")}${metrics.split ? ` (${metrics.split})` : ""}`;
}

// In the form's order, with what it means that nothing was chosen.
const UNSET = {
  start: null, end: "the video’s end", sample_fps: "all", frame_interval: null, stream: "automatic",
  region: "the whole picture",
  min_face: "automatic", detect_every: "automatic", detect_size: "automatic", smooth: "off", refine: "no",
};
const ORDER = Object.keys(UNSET);

const place = (name) => (ORDER.indexOf(name) + 1 || Infinity);

const ZERO_IS_UNSET = ["detect_every", "smooth"];

/** A setting's value in words; "auto" and a detector's interval of zero leave the choice to Visagram. */
function settingWords(name, value) {
  if (value === null || value === false || value === "auto" || (value === 0 && ZERO_IS_UNSET.includes(name))) return UNSET[name] ?? "automatic";
  return Array.isArray(value) ? value.join(", ") : String(value);
}

function settings(values) {
  const known = Object.entries(values).sort(([a], [b]) => (place(a) === place(b) ? a.localeCompare(b) : place(a) - place(b)));
  const entries = known.map(([name, value]) =>
    h(
      "div",
      {},
      h("dt", {}, settingLabel(name)),
      h("dd", {}, settingWords(name, value)),
    ),
  );
  return h("div", { class: "panel" }, h("h3", {}, "Settings"), h("dl", { class: "facts-list" }, entries));
}

function changes(items, edits) {
  const head = h(
    "div",
    { class: "row spread" },
    h("h3", {}, "Changes made by people"),
    items.length
      ? h("button", { class: "button small", type: "button", onclick: () => edits.undo() }, icon("undo"), "Undo the last")
      : null,
  );
  if (!items.length)
    return h("div", { class: "panel" }, head, h("p", { class: "muted" }, "None: names and people are as the machine found them."));
  const list = h(
    "ol",
    { class: "changes" },
    items.map((change) =>
      h(
        "li",
        {},
        h("bdi", {}, words(change)),
        h("span", { class: "muted small" }, change.who ? h("bdi", {}, change.who) : null, " ", when(change.at)),
      ),
    ),
  );
  return h("div", { class: "panel" }, head, list);
}

/** A change in words; people are named by their numbers, which stay when names change. */
function words({ kind, detail }) {
  if (kind === "rename")
    return detail.name ? `Person ${detail.person} was named ${named(detail.name)}` : `Person ${detail.person} lost their name`;
  if (kind === "merge") return `People ${detail.people.join(", ")} were merged${detail.name ? ` as ${named(detail.name)}` : ""}`;
  if (kind === "split" && detail.at !== null && detail.at !== undefined) return `Person ${detail.person} was split at ${moment(detail.at)}`;
  if (kind === "split") return `${count(detail.tracks.length, "appearance")} of person ${detail.person} became a new person`;
  return kind;
}

function use() {
  return h(
    "div",
    { class: "prose" },
    h("h3", {}, "What this is, and what it is not"),
    h(
      "p",
      {},
      "An apparent expression is what a face looks like in a picture. It does not tell what somebody feels, thinks or ",
      "intends: people show the same emotion in many ways, and the same face can mean many things ",
      "(Barrett et al. 2019, doi 10.1177/1529100619832930).",
    ),
    h("p", {}, h("a", { href: "/about" }, "Responsible use")),
  );
}
