// The legend is also the filter: press an expression to see it alone, more to add them.
import { EXPRESSIONS } from "../palette.js";
import { h } from "../ui.js";
import { unsureWords } from "./words.js";

export function legend(store, root) {
  const toggle = (name) => {
    const shown = new Set(store.shown ?? []);
    if (!shown.delete(name)) shown.add(name);
    store.set("shown", shown.size && shown.size < EXPRESSIONS.length ? shown : null);
  };
  const buttons = EXPRESSIONS.map((name) =>
    h(
      "button",
      {
        class: "key",
        type: "button",
        "aria-pressed": "false",
        title: `Show only ${name}; press others to add them`,
        data: { name },
        onclick: () => toggle(name),
      },
      h("span", { class: `swatch x-${name}` }),
      name,
    ),
  );
  const all = h(
    "button",
    {
      class: "key all",
      type: "button",
      onclick: () => {
        store.set("shown", null);
        buttons[0].focus();
      },
    },
    "Show all",
  );
  root.append(
    ...buttons.map((button) => h("li", {}, button)),
    h("li", {}, all),
    h("li", { class: "sign" }, h("span", { class: "swatch seen" }), "in the picture, not measured"),
    h(
      "li",
      { class: "sign" },
      h("span", { class: "swatch unsure" }),
      `unsure: ${unsureWords(store.unsureBelow)}`,
    ),
    ...(store.report.settings.smooth ? [h("li", { class: "sign" }, `the drawing is smoothed over ${store.report.settings.smooth} s; the numbers are not`)] : []),
  );
  const update = () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(Boolean(store.shown?.has(button.dataset.name))));
    root.classList.toggle("filtered", Boolean(store.shown));
    all.parentElement.hidden = !store.shown;
  };
  store.on("shown", update);
  update();
}
