// The activity log, page by page.

import { api } from "./api.js";
import { h, printable } from "./ui.js";

const PAGE = 50;
const SHORT = { dateStyle: "medium", timeStyle: "short" };
const at = (id) => document.getElementById(id);

async function load() {
  const offset = at("rows").children.length;
  at("more").disabled = true;
  try {
    const { items, total } = await api.get("/log", { limit: PAGE, offset });
    at("rows").append(...items.map(row));
    const shown = at("rows").children.length;
    at("trouble").hidden = true;
    at("scroll").hidden = total === 0;
    at("nothing").hidden = total > 0;
    at("more").hidden = shown >= total || !items.length;
    at("shown").textContent = shown < total ? `${shown} of ${total}` : "";
    if (offset) at("rows").children[offset]?.querySelector("th").focus();
  } catch (problem) {
    if (problem.name !== "Problem") throw problem;
    at("trouble").textContent = problem.detail;
    at("trouble").hidden = at("more").hidden = false;
    at("more").textContent = "Try again";
    return;
  } finally {
    at("more").disabled = false;
  }
  at("more").textContent = "Show more";
}

function row({ at: time, who, action, subject, detail }) {
  const words = typeof detail === "string" || detail === null || detail === undefined ? detail : JSON.stringify(detail);
  const cell = (name, text) => h("td", { class: `word ${name}`, role: "cell" }, h("bdi", {}, printable(text || "–")));
  // Roles are said again because a narrow page stacks the cells, which would take the table's meaning.
  return h("tr", { role: "row" }, h("th", { scope: "row", role: "rowheader", tabindex: -1 }, h("time", { datetime: time }, new Date(time).toLocaleString(undefined, SHORT))),
    cell("who", who), cell("action", action), cell("subject", subject), cell("detail", words));
}

at("more").addEventListener("click", load);
load();
