// The form of an analysis, made from GET /settings: presets as cards, every setting with its help, messages inline.

import { api } from "./api.js";
import { modelControl } from "./model-choice.js";
import { h, icon, openDialog } from "./ui.js";

const LABELS = {
  start: "Start, in seconds",
  end: "End, in seconds",
  sample_fps: "Frames per second to analyse",
  frame_interval: "Analyse every n-th frame",
  stream: "Video stream in the file",
  region: "Part of the picture",
  min_face: "Smallest face, in pixels",
  detect_every: "Run the detector every n-th frame",
  detect_size: "Detector's input size",
  seed: "Seed of the bootstrap",
  emotion: "Model that reads apparent expression",
  detector: "Model that finds faces",
  refine: "Ask the generator of faces too",
  smooth: "Smooth the drawn timeline, in seconds",
};

const STANDARD = { label: "Standard", help: "Every frame, with the usual models. Right for most videos.", settings: {}, available: true };

let asked = null;

/**
 * The answer of GET /settings, asked once per page: `{fields, presets, models}`, presets with "default" first, models by
 * the setting that names one.
 */
function describe() {
  asked ??= api.get("/settings").then((answer) => ({
    fields: answer.items,
    presets: { default: STANDARD, ...answer.presets },
    models: answer.models,
  }), (problem) => {
    asked = null;
    throw problem;
  });
  return asked;
}

/** The words for a setting's name. */
export function settingLabel(name) {
  const words = name.replaceAll("_", " ");
  return LABELS[name] ?? words[0].toUpperCase() + words.slice(1);
}

/**
 * Resolves to `{element, read, show}`: `read()` gives the chosen settings by name (those that differ from the
 * defaults), or null after it has shown what is wrong; `show(problem)` puts the server's refusal beside the setting it
 * names and tells whether it found one. `settings` are chosen already. Rejects with the `Problem` of GET /settings.
 */
export async function settingsForm(settings = {}) {
  const { fields, presets, models } = await describe();
  const inputs = new Map(fields.map((field) => [field.name, makeField(field, models[field.name])]));
  const changed = h("span", { class: "muted small" });
  const all = h("details", { class: "fold all-settings" }, h("summary", {}, "All settings", changed),
    h("div", { class: "settings-grid" }, [...inputs.values()].map((input) => input.element)));
  const cards = presetCards(presets, (preset) => fill(preset.settings));
  const element = h("div", { class: "stack" }, cards, all);
  const chosen = () => Object.fromEntries([...inputs].filter(([, input]) => input.changed()).map(([name, input]) => [name, input.get()]));

  function fill(values) {
    for (const [name, input] of inputs) input.set(values[name] ?? null);
    count();
  }
  function count() {
    const now = chosen();
    const number = Object.keys(now).length;
    changed.textContent = number ? `${number} not at the default` : "";
    // The card that says what is set stays marked; settings of one's own have none.
    for (const radio of cards.querySelectorAll("input")) radio.checked = same(presets[radio.value].settings, now);
  }
  function reveal(input) {
    all.open = true;
    input.element.scrollIntoView({ block: "center" });
    input.focus({ preventScroll: true });
  }
  all.addEventListener("input", count);
  fill(settings);
  all.open = Object.keys(chosen()).length > 0;

  return {
    element,
    read() {
      const wrong = [...inputs.values()].filter((input) => !input.check());
      if (wrong.length) return reveal(wrong[0]), null;
      return chosen();
    },
    show(problem) {
      if (problem.status !== 422 && problem.status !== 400) return false;
      const named = [...inputs].find(([name]) => name in (problem.errors ?? {}) || new RegExp(`\\bsetting ${name}\\b`).test(problem.detail));
      if (!named) return false;
      named[1].complain(problem.detail);
      reveal(named[1]);
      return true;
    },
  };
}

const same = (a, b) => Object.keys({ ...a, ...b }).every((name) => JSON.stringify(a[name]) === JSON.stringify(b[name]));

function presetCards(presets, onChoose) {
  const card = ([name, preset]) =>
    h("label", { class: "choice" },
      h("input", { type: "radio", name: "preset", value: name, disabled: preset.available === false, onchange: () => onChoose(preset) }),
      h("span", {}, h("b", {}, preset.label), h("span", { class: "help" }, preset.available === false && preset.why ? preset.why : preset.help)));
  return h("fieldset", { class: "field" }, h("legend", {}, "How to analyse"), h("div", { class: "choices" }, Object.entries(presets).map(card)));
}

let numbered = 0;

/** One setting: `{element, get, set, changed, check, complain, focus}`. A value of null is the default. */
function makeField(field, models) {
  const id = `setting-${field.name}-${++numbered}`;
  const help = h("p", { class: "help", id: `${id}-help` }, field.help);
  const error = h("p", { class: "error", id: `${id}-error`, hidden: true });
  const control = makeControl(id, field, models);
  const lines = control.lines ?? control.inputs;
  for (const input of lines) input.setAttribute("aria-describedby", `${id}-help ${id}-error`);
  const label = settingLabel(field.name);
  const element = control.inputs.length > 1
    ? h("fieldset", { class: `field ${control.kind ?? ""}`, "aria-describedby": `${id}-error` }, h("legend", {}, label), control.element, lines.length > 0 && help, error)
    : h("div", { class: "field" }, h("label", { for: id }, label), control.element, help, error);

  const self = {
    ...control,
    element,
    changed: () => control.get() !== null && JSON.stringify(control.get()) !== JSON.stringify(field.default),
    check() {
      self.complain(control.wrong?.() ?? "");
      return error.hidden;
    },
    complain(text) {
      error.replaceChildren(...(text ? [icon("alert"), h("span", {}, text)] : []));
      error.hidden = !text;
      for (const input of lines) input.setAttribute("aria-invalid", String(Boolean(text)));
    },
    focus: (options) => (control.inputs.find((input) => input.checked) ?? control.inputs[0]).focus(options),
  };
  element.addEventListener("change", () => self.check());
  return self;
}

function makeControl(id, field, models) {
  if (models) return modelControl(id, field, models);
  if (field.type === "region") return regionControl(id);
  if (field.type === "switch") return switchControl(id, field);
  return field.choices?.length ? choiceControl(id, field) : lineControl(id, field);
}

function lineControl(id, field) {
  const whole = field.type === "integer";
  const number = whole || field.type === "number";
  const shown = field.default === null || field.default === undefined ? "automatic" : String(field.default);
  const input = h("input", { id, type: "text", inputmode: number ? "decimal" : null, placeholder: shown, autocomplete: "off", spellcheck: "false" });
  const text = () => input.value.trim();
  return {
    element: input,
    inputs: [input],
    get: () => (text() === "" ? null : number ? Number(text().replace(",", ".")) : text()),
    set: (value) => { input.value = value === null || value === field.default ? "" : String(value); },
    wrong() {
      if (!number || text() === "") return "";
      const value = Number(text().replace(",", "."));
      if (!Number.isFinite(value)) return "Enter a number, or leave it empty.";
      if (whole && !Number.isInteger(value)) return "Enter a whole number, or leave it empty.";
      if (field.minimum !== null && field.minimum !== undefined && value < field.minimum) return `Must be at least ${field.minimum}.`;
      if (field.maximum !== null && field.maximum !== undefined && value > field.maximum) return `Must be at most ${field.maximum}.`;
      return "";
    },
  };
}

function switchControl(id, field) {
  const input = h("input", { type: "checkbox", id });
  return {
    element: input,
    inputs: [input],
    get: () => input.checked,
    set: (value) => { input.checked = Boolean(value ?? field.default); },
  };
}

function choiceControl(id, field) {
  const option = (choice) => h("option", { value: choice }, choice);
  const select = h("select", { id }, field.default === null ? h("option", { value: "" }, "automatic") : null, field.choices.map(option));
  return {
    element: select,
    inputs: [select],
    get: () => select.value || null,
    set: (value) => {
      const wanted = value ?? field.default ?? "";
      // Values beside the usual ones are allowed: an earlier analysis may have used one.
      if (wanted !== "" && ![...select.options].some((one) => one.value === wanted)) select.append(option(wanted));
      select.value = wanted;
    },
  };
}

function regionControl(id) {
  const inputs = ["left", "top", "width", "height"].map((side) =>
    h("input", { type: "text", inputmode: "numeric", placeholder: side, "aria-label": `${side}, in pixels`, autocomplete: "off", id: `${id}-${side}` }));
  const texts = () => inputs.map((input) => input.value.trim());
  return {
    element: h("div", { class: "region" }, inputs),
    inputs,
    get: () => (texts().every((text) => text === "") ? null : texts().map(Number)),
    set: (value) => inputs.forEach((input, k) => { input.value = value?.[k] ?? ""; }),
    wrong() {
      const given = texts();
      if (given.every((text) => text === "")) return "";
      const whole = given.every((text) => /^\d+$/.test(text));
      return whole && Number(given[2]) > 0 && Number(given[3]) > 0 ? "" : "Enter four whole numbers; width and height above 0.";
    },
  };
}

/** Asks for settings and analyses a video (again): opens the new analysis. */
export async function analyseAgain({ id, name, settings = {} }) {
  const form = await settingsForm(settings);
  const failure = h("p", { class: "notice danger", role: "alert", hidden: true });
  const start = h("button", { class: "button primary", type: "button", onclick: submit }, "Analyse");
  const body = h("div", { class: "stack" }, h("p", { class: "muted" }, h("bdi", {}, name)), form.element, failure);
  openDialog({ title: "Analyse again", body, actions: [start], kind: "large" });

  async function submit() {
    const chosen = form.read();
    if (!chosen) return;
    start.disabled = true;
    try {
      const analysis = await api.post("/analyses", { video_id: id, settings: chosen });
      location.assign(`/analyses/${analysis.id}`);
    } catch (problem) {
      start.disabled = false;
      if (problem.name !== "Problem") throw problem;
      failure.hidden = form.show(problem);
      failure.textContent = failure.hidden ? "" : problem.detail;
    }
  }
}
