// Tables: a caption, headings, rows; they scroll by themselves where they are too wide.
import { h } from "../ui.js";

/**
 * `heads`: texts; `rows`: lists of cells (text, number or node), the first a row's name. `words`: indices of columns of
 * text. `note`: a line under the caption. `cards`: on narrow screens each row is a card, which takes the roles of table
 * parts away: hence they are written down.
 */
export function grid(caption, heads, rows, { words = [], note = null, cards = false } = {}) {
  const isWord = (k) => (k === 0 || words.includes(k) ? "word" : null);
  const role = (name) => (cards ? name : null);
  const head = h(
    "tr",
    { role: role("row") },
    heads.map((text, k) => h("th", { scope: "col", role: role("columnheader"), class: isWord(k) }, text)),
  );
  const body = rows.map(([name, ...cells]) =>
    h(
      "tr",
      { role: role("row") },
      h("th", { scope: "row", role: role("rowheader"), class: "word" }, text(name)),
      cells.map((cell, k) => h("td", { role: role("cell"), class: isWord(k + 1), data: { label: heads[k + 1] } }, text(cell))),
    ),
  );
  const table = h(
    "table",
    { class: cards ? "table as-cards" : "table", role: role("table") },
    h("caption", {}, caption, note ? h("span", { class: "caption-note" }, note) : null),
    h("thead", { role: role("rowgroup") }, head),
    h("tbody", { role: role("rowgroup") }, body),
  );
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table: ${caption}` }, table);
}

const text = (cell) => (cell === null || cell === undefined ? "–" : cell instanceof Node ? cell : String(cell));

/** A name that may be in any script. */
export const name = (value) => h("bdi", {}, value);
