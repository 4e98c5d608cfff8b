// What was seen in each event window, out of the tidy table.
import { api, Problem } from "../api.js";
import { EXPRESSIONS } from "../palette.js";
import { clock, h, percent } from "../ui.js";

/** Fills the `.study-window-statistics` of each row of a list of windows. */
export async function windowStatistics(video, list) {
  const places = [...list.querySelectorAll("li[data-window]")];
  if (!places.length) return;
  let rows = [];
  try {
    rows = (await api.get("/study/table", { format: "json" })).items;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
  for (const place of places) {
    const own = rows.filter((row) => row.video_id === video.id && row.window === place.dataset.window);
    place.querySelector(".study-window-statistics")?.replaceChildren(...(own.length ? own.map(person) : [h("p", { class: "muted small" }, none(video))]));
  }
}

const none = (video) => (video.latest?.state === "done" ? "Nobody was measured in it." : "Its statistics come with the analysis.");

function person(row) {
  const shares = EXPRESSIONS.map((name) => [name, row[`share_${name}`]]).filter(([, share]) => share > 0).sort(([, a], [, b]) => b - a);
  const bar = h("span", { class: "study-bar", "aria-hidden": "true" }, shares.map(([name, share]) => h("i", { class: `x-${name}`, vars: { "--share": String(share) } })));
  const words = shares.slice(0, 3).map(([name, share]) => `${name} ${percent(share)}`).join(", ");
  return h("div", { class: "study-window-person" }, h("span", { class: "study-window-name" }, row.person_name || `Person ${row.person}`), bar,
    h("span", { class: "small" }, shares.length ? `${words}; ${clock(row.measured)} measured` : "not measured"));
}
