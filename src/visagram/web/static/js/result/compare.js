// People side by side: the figure and the same numbers as a table.
import { api } from "../api.js";
import { showFigure } from "../figure.js";
import { EXPRESSIONS } from "../palette.js";
import { h, toastProblem } from "../ui.js";
import { INTERVAL, exact, interval } from "./words.js";

export async function compare({ store, panel }) {
  const place = h("div", { class: "panel figure-place" }, h("p", { class: "muted" }, "Drawing …"));
  const title = "Share of measured time by apparent expression";
  panel.replaceChildren(
    h("h2", {}, "Compare people"),
    h("p", { class: "muted" }, `${INTERVAL} Whether people differ by more than chance is not tested here.`),
    place,
  );
  const rows = [
    ["Person", ...EXPRESSIONS],
    ...store.report.people.map((person) => [
      person.name,
      ...EXPRESSIONS.map((name) => {
        const share = person.shares[name];
        return share ? `${exact(share.value)}${share.low === null ? "" : ` (${interval(share)})`}` : "–";
      }),
    ]),
  ];
  try {
    const figure = await api.get(`${store.path}/figures/compare`);
    // The caption above the figure says what the axis shows; a download keeps a short title.
    figure.layout.xaxis.title = { ...figure.layout.xaxis.title, text: "share of measured time" };
    place.replaceChildren();
    if (place.isConnected) await showFigure(place, figure, { title, tableRows: rows, filename: "compare_people" });
  } catch (error) {
    toastProblem(error);
    const again = h("button", { class: "button", type: "button", onclick: () => compare({ store, panel }) }, "Try again");
    place.replaceChildren(h("p", {}, "The figure could not be loaded."), again);
  }
}
