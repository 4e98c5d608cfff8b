// What was seen in each event window.
import { api, Problem } from "../api.js";
import { EXPRESSIONS } from "../palette.js";
import { interval } from "../result/words.js";
import { clock, h, percent } from "../ui.js";

/** Fills the `.study-window-statistics` of each row of a list of windows. */
export async function windowStatistics(video, list) {
  const places = [...list.querySelectorAll("li[data-window]")];
  if (!places.length) return;
  const found = new Map();
  try {
    const { items } = video.latest?.state === "done" ? await api.get(`/analyses/${encodeURIComponent(video.latest.id)}/windows`) : { items: [] };
    for (const { window, people } of items) found.set(window.id, people);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
  for (const place of places) {
    const people = found.get(place.dataset.window) ?? [];
    place.querySelector(".study-window-statistics")?.replaceChildren(...(people.length ? people.map(person) : [h("p", { class: "muted small" }, none(video))]));
  }
}

const none = (video) => (video.latest?.state === "done" ? "Nobody was measured in it." : "Its statistics come with the analysis.");

function person({ name, shares, measured, unsure }) {
  const ranked = EXPRESSIONS.map((expression) => [expression, shares[expression]?.value]).filter(([, share]) => share > 0).sort(([, a], [, b]) => b - a);
  const bar = h("span", { class: "study-bar", "aria-hidden": "true" }, ranked.map(([expression, share]) => h("i", { class: `x-${expression}`, vars: { "--share": String(share) } })));
  const words = ranked.slice(0, 3).map(([expression, share]) => withInterval(expression, shares[expression])).join(", ");
  return h("div", { class: "study-window-person" }, h("span", { class: "study-window-name" }, name), bar,
    h("span", { class: "small" }, ranked.length ? `${words}; ${length(measured)} measured${unsure > 1e-3 ? `, ${length(unsure)} of it unsure` : ""}` : "not measured"));
}

/** "happy 61 % (55–67 %)", or "happy 61 %" where there is no interval. */
export const withInterval = (expression, share) => `${expression} ${percent(share.value)}${share.low === null ? "" : ` (${interval(share)})`}`;

const length = (seconds) => (seconds < 9.95 ? `${seconds.toFixed(1)} s` : clock(seconds));
