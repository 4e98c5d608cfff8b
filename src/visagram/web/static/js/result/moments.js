// The strongest instants of each expression, as pictures to jump to.
import { api } from "../api.js";
import { EXPRESSIONS } from "../palette.js";
import { debounce, h, percent } from "../ui.js";
import { fillWith } from "./waiting.js";
import { moment } from "./words.js";

const MOST = 60;

export function moments({ store, player, panel }) {
  const chosen = { person: "", emotion: "" };
  const list = h("div", { class: "moments-list" });
  const show = debounce(
    () =>
      fillWith(list, async () => {
        const { items } = await api.get(`${store.path}/moments`, { ...chosen, limit: MOST });
        return items.length
          ? h(
              "ul",
              { class: "moments" },
              items.map((item) => card(store, player, item)),
            )
          : empty(chosen);
      }),
    50,
  );
  const filter = (key, label, options) => {
    const select = h(
      "select",
      {},
      h("option", { value: "" }, "All"),
      options.map(([value, text]) => h("option", { value: String(value) }, text)),
    );
    select.addEventListener("change", () => {
      chosen[key] = select.value;
      show();
    });
    return h("div", { class: "field" }, h("label", {}, label, select));
  };
  panel.replaceChildren(
    h("h2", {}, "Moments"),
    h("p", { class: "muted" }, "Where each apparent expression looked most certain. Press one to see it."),
    h(
      "div",
      { class: "filters" },
      filter(
        "emotion",
        "Expression",
        EXPRESSIONS.map((name) => [name, name]),
      ),
      store.people.length > 1
        ? filter(
            "person",
            "Person",
            store.people.map((person) => [person.id, person.name]),
          )
        : null,
    ),
    list,
  );
  show();
}

function card(store, player, item) {
  const { person, emotion, time, start, end, probability, thumbnail_url: url } = item;
  const name = store.nameOf(person);
  const go = () => {
    player.pause();
    player.seek(time);
    store.set("person", person);
    document
      .getElementById("stage")
      .scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  };
  const button = h(
    "button",
    { class: "moment", type: "button", "aria-label": `${emotion} ${percent(probability)}, ${name}, at ${moment(time)}`, onclick: go },
    url ? h("img", { src: url, alt: "", loading: "lazy" }) : h("span", { class: "face" }),
    h(
      "span",
      { class: "moment-line" },
      h("span", { class: `swatch x-${emotion}` }),
      h("b", {}, emotion),
      h("span", { class: "value" }, percent(probability)),
    ),
    h(
      "span",
      { class: "moment-line muted" },
      h("bdi", { class: "truncate" }, name),
      h("span", { title: `lasts from ${moment(start)} to ${moment(end)}` }, moment(time)),
    ),
  );
  return h("li", {}, button);
}

function empty({ person, emotion }) {
  const text = person || emotion ? "No moment matches these filters. Choose others." : "No face was clear enough to find a strong moment.";
  return h("p", { class: "muted" }, text);
}
