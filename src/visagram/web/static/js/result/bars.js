// Shares as bars with whiskers, and how a person's time was spent: as on the stored report.
import { h, percent } from "../ui.js";
import { interval, ranked, span, spent, unsureShare, unsureWords } from "./words.js";

const part = (share) => `${(share * 100).toFixed(2)}%`;

/** Shares of measured time, `[expression, share]`, each with its 95 % interval. */
export function shareBars(shares, label = "Share of measured time by apparent expression, with 95\u00a0% interval") {
  return h(
    "ul",
    { class: "bars", "aria-label": label },
    shares.map(([name, share]) => {
      const whisker = share.low === null ? {} : { "--low": part(share.low), "--spread": part(Math.max(0, share.high - share.low)) };
      const vars = { "--value": part(share.value), ...whisker };
      return h(
        "li",
        {},
        h("span", {}, name),
        h("span", { class: `track x-${name}`, vars }, h("i"), share.low !== null && h("b")),
        h("span", { class: share.value ? "value" : "value zero" }, percent(share.value)),
        h("span", { class: "range" }, interval(share)),
      );
    }),
  );
}

/** A person's shares in two lists: those worth showing first (at most three), and the rest. */
export function personBars(person) {
  const pairs = ranked(person);
  const first = pairs.filter(([, share], k) => k < 1 || (k < 3 && share.value >= 0.01)).length;
  return [shareBars(pairs.slice(0, first)), shareBars(pairs.slice(first), "The other expressions")];
}

/** How much of the measured time the model was unsure of; null where the result does not say. */
export function unsureLine(person, below) {
  const share = unsureShare(person);
  if (share === null) return null;
  return h(
    "p",
    { class: "doubt" },
    h("span", { class: "swatch unsure" }),
    h("span", {}, "unsure ", h("b", {}, percent(share)), ` (${unsureWords(below)})`),
  );
}

/** Measured, unsure and unmeasured time by reason, as one bar with its legend. */
export function timeSpent(person) {
  const parts = spent(person);
  return h(
    "div",
    { class: "spending" },
    h(
      "div",
      { class: "spent", "aria-hidden": "true" },
      parts.map(([name, , time]) => h("i", { class: `use-${name}`, vars: { "--seconds": time.toFixed(3) } })),
    ),
    h(
      "ul",
      { class: "legend", "aria-label": "Time by what was measured" },
      parts.map(([name, words, time]) => h("li", {}, h("span", { class: `swatch use-${name}` }), `${words} ${span(time)}`)),
    ),
  );
}
