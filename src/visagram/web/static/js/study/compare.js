// The comparison: what to compare, the answer in words, two figures, and what is not in it.
import { api, Problem } from "../api.js";
import { clearFigure, showFigure } from "../figure.js";
import { announce, debounce, h } from "../ui.js";
import { fromApi } from "./comparison.js";
import { differenceRows, groupRows } from "./compare-table.js";
import { choose, problemNotice, refill, scopeField, segments } from "./controls.js";
import { showPlan } from "./plan.js";
import { read, strongest } from "./reading.js";
import { known, scope, setCompared, study, windowNames } from "./store.js";

const BY = [["condition", "Condition"], ["tag", "Tag"], ["participant", "Participant"]];
const MEASURES = [["share", "Share of measured time"], ["mean_posterior", "Mean probability"]];
const NAMES = { share: "Share of measured time", mean_posterior: "Mean probability" };
const EXCLUDED = 5;

const choice = { by: "condition", measure: "share", window: "", least: 2, smallest: null, pair: "" };
const place = document.getElementById("compare");
const controls = document.getElementById("compare-controls");
const parts = {};
let asked = 0;
let drawn = 0;
let tags = null;

export function startCompare() {
  parts.reading = h("div", { class: "study-reading" });
  parts.groups = h("div", { class: "panel" });
  parts.differences = h("div", { class: "panel", hidden: true });
  parts.pair = h("div");
  parts.excluded = h("div", { class: "study-excluded" });
  parts.plan = h("div", { class: "study-plan" });
  parts.figures = h("div", { class: "study-compared" }, parts.groups, parts.differences);
  place.append(parts.plan, parts.reading, parts.figures, parts.excluded);
  const later = debounce(load, 600);
  study.addEventListener("scope", () => { drawControls(); load(); });
  study.addEventListener("results", () => { if (known("tags").join("\n") !== tags) drawControls(); later(); });
  study.addEventListener("windows", drawControls);
  drawControls();
  load();
}

function drawControls() {
  tags = known("tags").join("\n");
  const take = (name) => (value) => { choice[name] = value; load(); };
  if (!windowNames.includes(choice.window)) choice.window = "";
  const times = [["", "Whole videos"], ...windowNames.map((name) => [name, `Window “${name}”`])];
  refill(controls, segments("Compare by", BY, choice.by, take("by")), segments("Measure", MEASURES, choice.measure, take("measure")),
    scopeField("compare-tag"), windowNames.length > 0 && choose("compare-window", "Time", times, choice.window, take("window")),
    amount("compare-least", "Measured at least (s)", choice.least, 86400, (value) => { choice.least = value ?? 2; drawControls(); load(); }),
    amount("compare-smallest", "Smallest difference (points)", choice.smallest === null ? null : choice.smallest * 100, 100,
      (value) => { choice.smallest = value ? value / 100 : null; drawControls(); load(); }),
    parts.pair);
}

/** A field for a number from 0 to `most`; empty is null. */
function amount(id, label, value, most, onChange) {
  const field = h("input", { type: "number", id, min: "0", max: String(most), step: "any", inputmode: "decimal", value: value === null ? "" : String(Number(value.toFixed(4))) });
  field.addEventListener("change", () => field.reportValidity() && onChange(field.value === "" ? null : Number(field.value)));
  return h("div", { class: "field" }, h("label", { for: id }, label), field);
}

/** The comparison that the page asks for, without what is not chosen. */
function chosen() {
  const { by, measure, window, least, smallest } = choice;
  return { by, measure, window, tag: scope.tag, least, ...(smallest === null ? {} : { smallest }) };
}

async function load() {
  const turn = (asked += 1);
  const { by, measure } = choice;
  setCompared(chosen());
  place.setAttribute("aria-busy", "true");
  try {
    const result = await api.get("/study/compare", chosen());
    if (turn === asked) show(fromApi(result), by, measure);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (turn !== asked) return;
    parts.reading.replaceChildren(problemNotice(`The comparison could not be made. ${error.detail}`, load));
    parts.figures.hidden = true;
    parts.excluded.replaceChildren();
  } finally {
    if (turn === asked) place.removeAttribute("aria-busy");
  }
}

function show(result, by, measure) {
  const { groups, differences, figure, excluded, method, notes, headline, plan, departures } = result;
  const words = read(result, by, measure);
  const cautions = [...words.cautions, ...notes];
  const line = (sentence) => sentence.map((part) => (part.aside ? h("span", { class: "study-aside" }, part.aside) : part.name ? h("em", {}, part.name) : part));
  refill(parts.reading,
    h("p", { class: "study-lead" }, line(words.lead)),
    differences.length > 0 && h("p", {}, headline),
    words.more.length > 0 && h("ul", {}, words.more.map((sentence) => h("li", {}, line(sentence)))),
    cautions.length > 0 && h("ul", { class: "study-caution" }, cautions.map((text) => h("li", {}, text))));
  if (place.dataset.told) announce(parts.reading.firstElementChild.textContent);
  place.dataset.told = "yes";
  parts.figures.hidden = groups.length === 0;
  if (groups.length) showFigure(parts.groups, figure, { title: `${NAMES[measure]} by ${by}`, tableRows: groupRows(groups), filename: `visagram-${by}-${measure}` });
  else clearFigure(parts.groups);
  showDifferences(differences, measure);
  showPlan(parts.plan, plan, departures, chosen(), load);
  showExcluded(excluded, method);
}

function showDifferences(differences, measure) {
  const pairs = new Map(differences.map((each) => [JSON.stringify([each.a, each.b]), [each.a, each.b]]));
  parts.differences.hidden = pairs.size === 0;
  if (!pairs.size) {
    drawn += 1;
    parts.pair.replaceChildren();
    clearFigure(parts.differences);
    return;
  }
  if (!pairs.has(choice.pair)) {
    const { a, b } = strongest(differences) ?? differences[0];
    choice.pair = JSON.stringify([a, b]);
  }
  const draw = () => {
    const [a, b] = pairs.get(choice.pair);
    drawDifference([a, b], differences.filter((each) => each.a === a && each.b === b), measure);
  };
  const options = [...pairs].map(([value, [a, b]]) => [value, `${a} minus ${b}`]);
  refill(parts.pair, pairs.size > 1 && choose("pair", "Difference", options, choice.pair, (value) => { choice.pair = value; draw(); }));
  draw();
}

async function drawDifference([a, b], rows, measure) {
  const turn = (drawn += 1);
  try {
    const figure = await api.get("/study/compare/difference", { ...chosen(), first: b, second: a });
    if (turn !== drawn) return;
    showFigure(parts.differences, figure, { title: `Difference: ${a} minus ${b}`, tableRows: differenceRows(rows), filename: `visagram-difference-${measure}` });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (turn !== drawn) return;
    clearFigure(parts.differences);
    parts.differences.replaceChildren(problemNotice(`The differences could not be drawn. ${error.detail}`, () => drawDifference([a, b], rows, measure)));
  }
}

function showExcluded(excluded, method) {
  const reasons = byReason(excluded);
  const link = ({ id, name }) => h("a", { href: `/videos/${encodeURIComponent(id)}` }, name);
  const items = [...reasons].map(([reason, some]) => {
    const rest = some.length - EXCLUDED;
    return h("li", {}, h("strong", {}, reason[0].toUpperCase() + reason.slice(1)), ": ", some.slice(0, EXCLUDED).flatMap((video, nth) => [nth ? ", " : "", link(video)]), rest > 0 ? ` and ${rest} more` : "");
  });
  refill(parts.excluded,
    items.length > 0 && h("div", {}, h("h3", {}, excluded.length === 1 ? "One video is not in it" : `${excluded.length} videos are not in it`), h("ul", {}, items)),
    method && h("div", {}, h("h3", {}, "How this is computed"), h("p", { class: "muted" }, method)));
}

function byReason(excluded) {
  const reasons = new Map();
  for (const video of excluded) reasons.set(video.reason, [...(reasons.get(video.reason) ?? []), video]);
  return reasons;
}
