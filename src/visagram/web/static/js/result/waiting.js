// A panel while its data is on the way, and when it did not come.
import { h, icon } from "../ui.js";

/** Fills `panel` with what `work` resolves to; says so while it waits, and offers another try when it fails. */
export async function fillWith(panel, work) {
  const turn = Symbol("turn");
  panel.turn = turn;
  panel.replaceChildren(h("p", { class: "muted waiting" }, "Loading …"));
  try {
    const nodes = await work();
    if (panel.turn === turn) panel.replaceChildren(...[nodes].flat().filter(Boolean));
  } catch (error) {
    if (error.name !== "Problem") throw error;
    if (panel.turn !== turn) return;
    const again = h("button", { class: "button", type: "button", onclick: () => fillWith(panel, work) }, icon("retry"), "Try again");
    panel.replaceChildren(h("div", { class: "notice danger", role: "alert" }, h("p", {}, error.detail), h("div", { class: "row" }, again)));
  }
}
