// Tables: a caption, headings, rows; they scroll by themselves where they are too wide.
import { h } from "../ui.js";

/**
 * `heads`: texts; `rows`: lists of cells (text, number or node), the first a row's name. `words`: indices of columns of
 * text. `note`: a line under the caption.
 */
export function grid(caption, heads, rows, { words = [], note = null } = {}) {
  const isWord = (k) => (k === 0 || words.includes(k) ? "word" : null);
  const head = h(
    "tr",
    {},
    heads.map((text, k) => h("th", { scope: "col", class: isWord(k) }, text)),
  );
  const body = rows.map(([name, ...cells]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", class: "word" }, text(name)),
      cells.map((cell, k) => h("td", { class: isWord(k + 1) }, text(cell))),
    ),
  );
  const table = h(
    "table",
    { class: "table" },
    h("caption", {}, caption, note ? h("span", { class: "caption-note" }, note) : null),
    h("thead", {}, head),
    h("tbody", {}, body),
  );
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table: ${caption}` }, table);
}

const text = (cell) => (cell === null || cell === undefined ? "–" : cell instanceof Node ? cell : String(cell));

/** A name that may be in any script. */
export const name = (value) => h("bdi", {}, value);
