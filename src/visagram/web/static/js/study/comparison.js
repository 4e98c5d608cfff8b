// What /study/compare answers (core.compare's JSON), in the terms of this page: a difference is `a` minus `b`.

/**
 * groups: [{name, n, means: {happy: {mean, low, high}}}]. differences: [{a, b, expression, difference, low, high, effect,
 * p, corrected, n: [participants], paired}]. low, high, effect and p are null where there are too few participants.
 * excluded: [{id, name, reason}]. notes: sentences.
 */
export function fromApi({ groups, differences, figure, excluded, method, notes }) {
  return {
    groups: groups.map(({ name, n, means }) => ({
      name, n, means: Object.fromEntries(means.map(({ expression, value, low, high }) => [expression, { mean: value, low, high }])),
    })),
    differences: differences.map((each) => ({
      a: each.second, b: each.first, expression: each.expression, difference: each.value, low: each.low, high: each.high,
      effect: each.effect, p: each.p, corrected: each.p_holm, n: each.n, paired: each.test === "paired t",
    })),
    figure, method, excluded, notes,
  };
}
