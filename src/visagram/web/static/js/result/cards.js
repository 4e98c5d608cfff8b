// A card per person: face, name to edit, what was seen and how sure, and selecting for a merge or a split.
import { h, icon } from "../ui.js";
import { personBars, timeSpent, unsureLine } from "./bars.js";
import { NO_INTERVAL, moment, mostly, span, untold } from "./words.js";

const OPEN_UP_TO = 2;

export class Cards {
  constructor(store, edits, player, { root, bar }) {
    Object.assign(this, { store, edits, player, root, bar, chosen: new Set(), open: new Map() });
    store.on("people", () => this.render());
    store.on("person", (id) => this._focus(id));
    this.render();
  }

  render() {
    const { people } = this.store;
    const known = new Set(people.map((person) => person.id));
    for (const id of this.chosen) if (!known.has(id)) this.chosen.delete(id);
    this.root.replaceChildren(...people.map((person) => this._card(person)));
    this.root.parentElement.dataset.people = String(people.length);
    this._bar();
    this._focus(this.store.person, false);
  }

  _card(person) {
    const several = this.store.people.length > 1;
    const still = this.store.facts.still;
    const face = person.thumbnail_url
      ? h("img", { class: "face", src: person.thumbnail_url, alt: `Face of ${person.name}`, width: "72", height: "72", loading: "lazy" })
      : h("span", { class: "face" });
    const pick = h("input", { type: "checkbox", "aria-label": `Select ${person.name}`, checked: this.chosen.has(person.id) });
    pick.addEventListener("change", () => {
      if (pick.checked) this.chosen.add(person.id);
      else this.chosen.delete(person.id);
      this._bar();
    });
    const dominant = person.most_common_emotion
      ? h("p", { class: "dominant" }, h("span", { class: `swatch x-${person.most_common_emotion}` }), mostly(person))
      : h("p", { class: "dominant none" }, "no frame was clear enough to measure");
    const first = h(
      "button",
      { class: "link", type: "button", onclick: () => this.player.seek(person.first_seen) },
      moment(person.first_seen),
    );
    first.setAttribute("aria-label", `Go to the first appearance of ${person.name} at ${moment(person.first_seen)}`);
    const split = h(
      "button",
      { class: "button quiet small", type: "button", "aria-label": `Split ${person.name}`, onclick: () => this.edits.split(person) },
      icon("split"),
      "Split",
    );
    const correct = h(
      "button",
      { class: "button quiet small", type: "button", "aria-label": `Correct ${person.name}`, onclick: () => this.edits.correct(person) },
      icon("check"),
      "Correct",
    );
    const [bars, rest] = person.frames_usable ? personBars(person) : [null, null];
    const body = h(
      "details",
      { class: "card-more" },
      h(
        "summary",
        {},
        still ? "The other expressions" : rest ? "All seven and unmeasured time" : "Unmeasured time",
        h("span", { class: "visually-hidden" }, ` of ${person.name}`),
      ),
      rest,
      !still && untold(Object.values(person.shares)) ? h("p", { class: "muted small" }, NO_INTERVAL) : null,
      still ? null : timeSpent(person),
    );
    body.open = this.open.get(person.id) ?? this.store.people.length <= OPEN_UP_TO;
    body.addEventListener("toggle", () => this.open.set(person.id, body.open));
    return h(
      "article",
      { class: "card", "aria-label": person.name, data: { person: person.id } },
      h(
        "div",
        { class: "who" },
        face,
        h(
          "div",
          { class: "who-text" },
          this._name(person),
          dominant,
          still ? null : h("p", { class: "muted small" }, `in the picture ${span(person.screen_time)}, first at `, first),
        ),
        several ? h("label", { class: "pick", title: "Select to merge" }, pick) : null,
      ),
      bars,
      unsureLine(person, this.store.unsureBelow),
      h("div", { class: "card-rest" }, body, h("div", { class: "card-actions" }, correct, still ? null : split)),
    );
  }

  _name(person) {
    const button = h("button", { class: "name", type: "button", title: "Rename" }, h("bdi", {}, person.name), icon("edit"));
    button.setAttribute("aria-label", `Rename ${person.name}`);
    const heading = h("h3", {}, button);
    button.addEventListener("click", () => this._edit(person, heading));
    return heading;
  }

  _edit(person, heading) {
    const before = [...heading.childNodes];
    const input = h("input", { type: "text", value: person.name, maxlength: "200", "aria-label": `Name of ${person.name}`, dir: "auto" });
    let over = false;
    const finish = async (keep, leaving = false) => {
      if (over) return;
      over = true;
      const name = input.value.trim();
      heading.replaceChildren(...before);
      if (!leaving) this._focusName(person);
      if (keep && name && name !== person.name) await this.edits.rename(person, name);
      // The cards are made anew: who went elsewhere meanwhile stays there.
      if (document.activeElement === document.body) this._focusName(person);
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") finish(true);
      else if (event.key === "Escape") finish(false);
      else return;
      event.preventDefault();
    });
    input.addEventListener("blur", () => finish(true, true));
    heading.replaceChildren(input);
    input.focus();
    input.select();
  }

  _focusName(person) {
    this.root.querySelector(`[data-person="${person.id}"] .name`)?.focus({ preventScroll: true });
  }

  _bar() {
    const number = this.chosen.size;
    this.bar.hidden = !number;
    if (!number) return;
    const ids = [...this.chosen].sort((a, b) => a - b);
    const merge = h(
      "button",
      {
        class: "button primary small",
        type: "button",
        disabled: number < 2,
        onclick: () => this.edits.merge(ids.map((id) => this.store.personById(id))),
      },
      icon("merge"),
      "Merge",
    );
    const clear = h(
      "button",
      {
        class: "button small",
        type: "button",
        onclick: () => {
          this.chosen.clear();
          this.render();
        },
      },
      "Clear",
    );
    this.bar.replaceChildren(
      h("p", { role: "status" }, number < 2 ? "1 selected: select another to merge" : `${number} selected`),
      merge,
      clear,
    );
  }

  _focus(id, scroll = true) {
    for (const card of this.root.children) {
      const chosen = Number(card.dataset.person) === id;
      card.classList.toggle("chosen", chosen);
      if (chosen && scroll) reveal(card, this.root);
    }
  }
}

/** Scrolls inside `root` alone, so that the page stays where it is. */
function reveal(card, root) {
  const frame = root.getBoundingClientRect();
  const box = card.getBoundingClientRect();
  if (box.top < frame.top) root.scrollTop += box.top - frame.top;
  else if (box.bottom > frame.bottom) root.scrollTop += Math.min(box.top - frame.top, box.bottom - frame.bottom);
}
