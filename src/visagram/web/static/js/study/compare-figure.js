// The numbers of a comparison as rows of a table, and the figure of its differences.
import { EXPRESSIONS, PALETTE } from "../palette.js";

const number = (value, digits = 1) => (Number.isFinite(value) ? value.toFixed(digits).replace("-", "−") : null);
const share = (value) => (Number.isFinite(value) ? `${number(value * 100)} %` : null);
const range = (low, high, unit = "") => (Number.isFinite(low) && Number.isFinite(high) ? `${number(low * 100)} to ${number(high * 100)}${unit}` : "no interval");

/** One row per expression; a mean and an interval per group. */
export function groupRows(groups) {
  const head = ["Apparent expression", ...groups.flatMap(({ name, n }) => [`${name} (n = ${n})`, "95 % interval"])];
  return [head, ...EXPRESSIONS.map((expression) => [
    expression,
    ...groups.flatMap(({ means }) => {
      const { mean, low, high } = means[expression] ?? {};
      return [share(mean), range(low, high, " %")];
    }),
  ])];
}

/** One row per difference of one pair of groups. */
export function differenceRows(differences) {
  const head = ["Apparent expression", "Difference in points", "95 % interval", "p", "p corrected (Holm)", "Effect size (g)", "n", "Compared"];
  return [head, ...differences.map((each) => [
    each.expression, number(each.difference * 100), range(each.low, each.high), asP(each.p), asP(each.corrected), number(each.effect, 2),
    each.n.join(" and "), each.paired ? "within participants" : "between groups",
  ])];
}

function asP(p) {
  if (!Number.isFinite(p)) return null;
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}

/** The differences of one pair as dots with whiskers around zero. */
export function differenceFigure(differences, [a, b]) {
  const rows = EXPRESSIONS.map((name) => differences.find(({ expression }) => expression === name)).filter(Boolean);
  const at = rows.map(({ difference }) => difference * 100);
  const whisker = ({ low, high, difference }) => (Number.isFinite(low) ? [(high - difference) * 100, (difference - low) * 100] : [0, 0]);
  const reach = Math.max(5, ...rows.flatMap(({ low, high, difference }) => [low, high, difference].filter(Number.isFinite).map((value) => Math.abs(value) * 108)));
  const more = innerWidth < 640 ? "" : "more in ";
  const axis = { fixedrange: true, ticks: "", automargin: true };
  return {
    data: [{
      type: "scatter", mode: "markers", x: at, y: rows.map(({ expression }) => expression), cliponaxis: false,
      marker: { size: 11, color: rows.map(({ expression }) => PALETTE[expression]) },
      error_x: { type: "data", symmetric: false, array: rows.map((row) => whisker(row)[0]), arrayminus: rows.map((row) => whisker(row)[1]), thickness: 1.5, width: 4, color: "#7b828c" },
      customdata: rows.map((row) => range(row.low, row.high)),
      hovertemplate: "%{y}: %{x:.1f} points<br>95 % interval %{customdata}<extra></extra>",
    }],
    layout: {
      height: 360, margin: { l: 72, r: 16, t: 40, b: 48 }, showlegend: false, hovermode: "closest",
      xaxis: { ...axis, range: [-reach, reach], zeroline: true, zerolinewidth: 1.5, showgrid: true, title: { text: "difference in percentage points", font: { size: 12 } } },
      yaxis: { ...axis, autorange: "reversed", showgrid: false },
      annotations: [[0, "left", `← ${more}${plain(b)}`], [1, "right", `${more}${plain(a)} →`]].map(([x, xanchor, text]) =>
        ({ x, xanchor, y: 1, yanchor: "bottom", yshift: 8, xref: "paper", yref: "paper", text, showarrow: false, font: { size: 12 } })),
    },
  };
}

// plotly reads tags and entities in texts; names are data.
function plain(name) {
  const short = name.length > 18 ? `${name.slice(0, 17)}…` : name;
  return short.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
