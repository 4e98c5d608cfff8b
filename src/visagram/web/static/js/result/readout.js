// What a lane says about a moment: under the pointer, and in the table that stands for the lane.
import { EXPRESSIONS } from "../palette.js";
import { h } from "../ui.js";
import { ABSENT, SEEN, UNSURE, best } from "./tiles.js";
import { moment, span } from "./words.js";

/** `{state, expression, probability, words}` of bin `i`. */
export function describe(bins, i) {
  const state = bins.state(i) ?? ABSENT;
  if (state === ABSENT) return { state, words: "not in the picture" };
  if (state === SEEN) return { state, words: "in the picture, not measured" };
  const top = best(bins, i);
  const probability = bins.posterior(i, top);
  return { state, expression: EXPRESSIONS[top], probability, words: state === UNSURE ? "measured, unsure" : "measured" };
}

/** The nodes of the read-out of `person` at `time`; bins may be null while they load. */
export function readout(person, time, bins) {
  const head = h("p", {}, h("bdi", {}, person.name), h("span", {}, moment(time)));
  if (!bins) return [head, h("p", {}, "loading …")];
  const i = Math.max(0, Math.min(bins.count - 1, Math.floor((time - bins.from) / bins.bin)));
  const { expression, words, state } = describe(bins, i);
  if (!expression) return [head, h("p", {}, words)];
  const order = EXPRESSIONS.map((_, k) => k).sort((a, b) => bins.posterior(i, b) - bins.posterior(i, a));
  const lines = order
    .slice(0, 3)
    .filter((k) => bins.posterior(i, k) >= 0.01 || k === order[0])
    .map((k) =>
      h(
        "li",
        {},
        h("span", { class: `swatch x-${EXPRESSIONS[k]}` }),
        h("span", {}, EXPRESSIONS[k]),
        h("b", {}, `${Math.round(bins.posterior(i, k) * 100)}\u00a0%`),
      ),
    );
  const over = bins.bin > 0.11 ? `mean over ${span(bins.bin)}` : "";
  const note = [state === UNSURE ? "unsure" : "", over].filter(Boolean).join(", ");
  return [head, h("ul", {}, lines), ...(note ? [h("p", { class: "note" }, note)] : [])];
}
