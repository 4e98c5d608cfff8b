// The table that says what a lane shows: the stretch on view in rows of time.
import { h } from "../ui.js";
import { grid } from "./grid.js";
import { describe } from "./readout.js";
import { fillWith } from "./waiting.js";
import { moment, span } from "./words.js";

const MOST_ROWS = 120;

export class LaneTable {
  constructor(store, tiles, player, root) {
    Object.assign(this, { store, tiles, player });
    this.place = h("div", { class: "lane-table" });
    this.select = h("select", { "aria-label": "Person of the table" });
    this.select.addEventListener("change", () => this.fill());
    this.details = h(
      "details",
      { class: "fold" },
      h("summary", {}, "The lanes as a table"),
      h("div", { class: "filters" }, this.select, h("p", { class: "muted small" }, "Of the time on view: zoom in for finer rows.")),
      this.place,
    );
    this.details.addEventListener("toggle", () => this.fill());
    root.append(this.details);
    store.on("people", () => this._people());
    store.on("view", () => this._later());
    this._people();
  }

  /** Opens the table of one person and goes there. */
  open(id) {
    this.select.value = String(id);
    this.details.open = true;
    this.fill();
    this.details.scrollIntoView({ block: "nearest" });
    this.select.focus();
  }

  _people() {
    const before = this.select.value;
    this.select.replaceChildren(...this.store.people.map((person) => h("option", { value: String(person.id) }, person.name)));
    if (this.store.personById(Number(before))) this.select.value = before;
    this.fill();
  }

  _later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fill(), 250);
  }

  fill() {
    if (!this.details.open || !this.tiles.index) return;
    const id = Number(this.select.value);
    const [start, end] = this.store.view;
    const levels = this.tiles.index.levels;
    let level = levels.findIndex(({ bin }) => (end - start) / bin <= MOST_ROWS);
    if (level < 0) level = levels.length - 1;
    fillWith(this.place, async () => {
      const bins = await this.tiles.whole(id, start, end, level);
      const rows = [];
      for (let i = 0; i < bins.count; i++) {
        const from = bins.from + i * bins.bin;
        if (from + bins.bin <= start + 1e-6 || from >= end - 1e-6) continue;
        const { expression, probability, words } = describe(bins, i);
        const go = h("button", { class: "link", type: "button", onclick: () => this.player.seek(from) }, moment(from));
        rows.push([go, expression ?? "–", expression ? `${Math.round(probability * 100)}\u00a0%` : "–", words]);
      }
      const name = this.store.nameOf(id);
      const table = grid(`${name}, mean over ${span(bins.bin)} a row`, ["From", "Best expression", "Mean probability", "State"], rows, {
        words: [1, 3],
      });
      table.classList.add("tall");
      return table;
    });
  }
}
