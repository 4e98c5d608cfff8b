// What /study/compare answers (core.compare's JSON), in the terms of this page: a difference is `a` minus `b`.

/**
 * groups: [{name, n, means: {happy: {mean, low, high}}}]. differences: [{a, b, expression, difference, low, high, effect,
 * p, corrected, holm, equivalent, n: [participants], paired, alike}]. low, high, effect and p are null where there are too few participants.
 * corrected: p over all differences of the comparison together. alike: nothing could be tested; low and high, where there are any, are bounds. crossed: some are in both.
 * excluded: [{id, name, reason}]. notes: sentences.
 */
export function fromApi({ groups, differences, figure, excluded, method, notes, headline, least, smallest, plan, departures }) {
  return {
    groups: groups.map(({ name, n, means }) => ({
      name, n, means: Object.fromEntries(means.map(({ expression, value, low, high }) => [expression, { mean: value, low, high }])),
    })),
    differences: differences.map((each) => ({
      a: each.second, b: each.first, expression: each.expression, difference: each.value, low: each.low, high: each.high,
      effect: each.effect, p: each.p, corrected: each.p_family, holm: each.p_holm, equivalent: each.p_equivalent, n: each.n,
      paired: each.n.length === 1, crossed: each.test === "GEE", alike: each.test === "",
    })),
    figure, method, excluded, notes, headline, least, smallest, plan, departures,
  };
}
