// The tidy table: its first rows and its files.
import { api, Problem } from "../api.js";
import { count, debounce, h, icon } from "../ui.js";
import { problemNotice, refill, scopeField } from "./controls.js";
import { scope, setWindowNames, study } from "./store.js";

const ROWS = 8;
const FIRST = ["video", "participant", "condition", "tags", "person", "person_name", "window", "window_start", "window_end"];
const place = document.getElementById("tidy");
let asked = 0;

export function startTidy() {
  const later = debounce(load, 600);
  study.addEventListener("scope", load);
  study.addEventListener("results", later);
  study.addEventListener("planned", load);
  load();
}

async function load() {
  const turn = (asked += 1);
  try {
    const [{ items, total, columns, windows }, { plan }] = await Promise.all([
      api.get("/study/table", { format: "json", tag: scope.tag, limit: ROWS }),
      api.get("/study/plan"),
    ]);
    if (turn !== asked) return;
    setWindowNames(windows);
    show(items, total, columns, plan);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (turn === asked) refill(place, problemNotice(`The table could not be made. ${error.detail}`, load));
  }
}

function show(items, total, columns, plan) {
  const field = scopeField("tidy-tag");
  if (!items.length) {
    refill(place, field, h("p", { class: "study-quiet" }, scope.tag
      ? `No analysed video is tagged “${scope.tag}”.`
      : "The table is empty: it has a row for each person seen in an analysed video."));
    return;
  }
  const order = [...FIRST.filter((name) => columns.includes(name)), ...columns.filter((name) => !FIRST.includes(name))];
  const head = h("tr", {}, order.map((name) => h("th", { scope: "col", class: isText(items, name) ? "text" : "" }, name)));
  const body = items.map((item) => h("tr", {}, order.map((name, nth) => h(nth ? "td" : "th", nth ? { class: isText(items, name) ? "text" : "" } : { scope: "row" }, asText(item[name])))));
  const file = (format, label) => h("a", { class: "button", href: api.url("/study/table", { format, tag: scope.tag }), download: "" }, icon("download"), label);
  const planned = plan && h("a", { class: "button", href: api.url("/study/plan.json"), download: "" }, icon("download"), "Frozen plan");
  refill(place,
    h("div", { class: "study-tidy-head" }, field,
      h("p", { class: "muted small" }, `${count(total, "row")} of ${count(columns.length, "column")}${total > ROWS ? `; the first ${ROWS} are shown` : ""}.`),
      h("div", { class: "row" }, file("csv", "CSV"), file("parquet", "Parquet"), planned)),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "First rows of the table" },
      h("table", { class: "table study-tidy" }, h("thead", {}, head), h("tbody", {}, body))),
  );
}

const isText = (items, name) => items.some((item) => typeof item[name] === "string" || Array.isArray(item[name]));

function asText(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toFixed(4)));
  return Array.isArray(value) ? value.join("; ") : String(value);
}
