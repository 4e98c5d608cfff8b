// The choice of a model as cards: what it is, how good and fast it is, what it costs, and why one cannot be chosen here.

import { bytes, h } from "./ui.js";

/**
 * The control of a setting that names a model, as form.js wants it: `{element, inputs, lines, kind, get, set}`; it has no lines to
 * write in.
 *
 * @param {string} id begins the ids of its parts
 * @param {{name: string, default: string}} field the setting
 * @param {object[]} models those of GET /settings for this setting
 */
export function modelControl(id, field, models) {
  const radios = [];
  const element = h("div", { class: "choices" });
  const add = (model) => {
    const card = modelCard(`${id}-${radios.length}`, id, model, model.choice === field.default);
    radios.push(card.querySelector("input"));
    element.append(card);
  };
  models.forEach(add);
  return {
    element,
    inputs: radios,
    lines: [],
    kind: "models-to-choose",
    get: () => radios.find((radio) => radio.checked)?.value ?? null,
    set(value) {
      const wanted = value ?? field.default;
      // An earlier analysis may have used a model that is not offered any more.
      if (!radios.some((radio) => radio.value === wanted)) add({ choice: wanted, name: wanted, available: true, cost: "used by the earlier analysis" });
      for (const radio of radios) radio.checked = radio.value === wanted;
    },
  };
}

function modelCard(id, group, model, usual) {
  const { choice, name, version, available, why, cost } = model;
  const input = h("input", { type: "radio", id, name: group, value: choice, disabled: !available, "aria-labelledby": `${id}-name`, "aria-describedby": `${id}-about` });
  return h("label", { class: "choice" }, input,
    h("span", {},
      h("b", { id: `${id}-name` }, name, usual ? " (default)" : ""),
      h("span", { id: `${id}-about` }, about(model).map((line) => h("span", { class: "help" }, line)),
        h("span", { class: "help" }, available ? sentence(cost) : `Cannot be used here yet: ${why}`)),
      version !== undefined && h("a", { href: `/models/${encodeURIComponent(name)}`, target: "_blank", "aria-label": `Card of ${name}` }, "Its card")));
}

/** Licence, size and speed, and how good it is on which faces. */
function about({ licence, version, bytes: size, speed, accuracy, measured_on: faces }) {
  const facts = [version && `version ${version}`, licence, size && bytes(size), speed].filter(Boolean).join(", ");
  const right = Number.isFinite(accuracy) && `${(accuracy * 100).toFixed(1)}\u00a0% right${faces ? ` (${faces})` : ""}`;
  return [facts, right].filter(Boolean).map(sentence);
}

const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;
