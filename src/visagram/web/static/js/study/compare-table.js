// The numbers of a comparison as rows of tables.
import { EXPRESSIONS } from "../palette.js";

const number = (value, digits = 1) => (Number.isFinite(value) ? value.toFixed(digits).replace("-", "−") : null);
const share = (value) => (Number.isFinite(value) ? `${number(value * 100)}\u00a0%` : null);
const range = (low, high, unit = "") => (Number.isFinite(low) && Number.isFinite(high) ? `${number(low * 100)} to ${number(high * 100)}${unit}` : "no interval");

/** One row per expression; a mean and an interval per group. */
export function groupRows(groups) {
  const head = ["Apparent expression", ...groups.flatMap(({ name, n }) => [`${name} (n = ${n})`, "95\u00a0% interval"])];
  return [head, ...EXPRESSIONS.map((expression) => [
    expression,
    ...groups.flatMap(({ means }) => {
      const { mean, low, high } = means[expression] ?? {};
      return [share(mean), range(low, high, "\u00a0%")];
    }),
  ])];
}

/** One row per difference of one pair of groups. */
export function differenceRows(differences) {
  const equivalence = differences.some((each) => Number.isFinite(each.equivalent)) ? ["p of equivalence"] : [];
  const head = ["Apparent expression", "Difference in points", "95\u00a0% interval", "p", "p in this pair (Holm)", "p over all (family-wise)", ...equivalence, "Effect size (g)", "n", "Compared"];
  return [head, ...differences.map((each) => [
    each.expression, number(each.difference * 100), range(each.low, each.high) + (each.alike && Number.isFinite(each.low) ? " (bounds: nobody differs)" : ""), asP(each.p), asP(each.holm), asP(each.corrected), ...equivalence.map(() => asP(each.equivalent)), number(each.effect, 2),
    each.n.join(" and "), each.alike ? "–" : each.paired ? "within participants" : each.crossed ? "some in both" : "between groups",
  ])];
}

function asP(p) {
  if (!Number.isFinite(p)) return null;
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}
