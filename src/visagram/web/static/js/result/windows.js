// Event windows: named stretches of the video with statistics of their own.
import { api } from "../api.js";
import { EXPRESSIONS } from "../palette.js";
import { confirmDialog, h, icon, toast, toastProblem } from "../ui.js";
import { grid, name as nameCell } from "./grid.js";
import { fillWith } from "./waiting.js";
import { exact, interval, moment, named, seconds, span } from "./words.js";

export function windows({ store, player, panel }) {
  const path = `/videos/${encodeURIComponent(store.videoId)}/windows`;
  const list = h("div", { class: "stack" });
  const form = windowForm(store, async (body) => {
    const added = await api.post(path, body);
    await reread();
    store.set("marks", { start: null, end: null });
    toast(`The window ${named(added.name ?? body.name)} was added.`, { kind: "done" });
  });
  panel.replaceChildren(
    h("h2", {}, "Windows"),
    h(
      "p",
      { class: "muted" },
      "Name a stretch (a task, a question, a scene) and read its own statistics. Windows also appear above the lanes and as rows in the study's table.",
    ),
    form,
    list,
  );
  show();

  async function reread() {
    const { items } = await api.get(path);
    store.set("windows", items);
    show();
  }

  function show() {
    if (!store.windows.length) {
      list.replaceChildren(
        h("p", { class: "muted" }, "No window yet. Zoom to a stretch of the lanes, or press “Mark in” and “Mark out” above them, then add it here."),
      );
      return;
    }
    fillWith(list, async () => {
      const { items } = await api.get(`${store.path}/windows`);
      return items.map(card);
    });
  }

  function card({ window, people }) {
    const go = h(
      "button",
      {
        class: "button small",
        type: "button",
        "aria-label": `Show ${window.name}`,
        onclick: () => {
          store.zoom(window.start, window.end);
          player.seek(window.start);
        },
      },
      icon("play"),
      "Show",
    );
    const remove = h(
      "button",
      { class: "button small", type: "button", "aria-label": `Delete ${window.name}`, onclick: () => drop(window) },
      icon("delete"),
      "Delete",
    );
    const heads = ["Person", "Measured", "Unsure", ...EXPRESSIONS, "In the picture"];
    return h(
      "article",
      { class: "panel window", "aria-label": `Window ${window.name}` },
      h(
        "div",
        { class: "row spread" },
        h(
          "div",
          {},
          h("h3", {}, h("bdi", {}, window.name)),
          h("p", { class: "muted small" }, `${moment(window.start)} – ${moment(window.end)}, ${span(window.end - window.start)}`),
        ),
        h("div", { class: "row" }, go, remove),
      ),
      grid(`Share of measured time in ${named(window.name)}, ${moment(window.start)} – ${moment(window.end)}`, heads, people.map(row), {
        note: "Below each share its 95\u00a0% interval. Unsure frames count under their best expression.",
      }),
    );
  }

  async function drop(window) {
    if (
      !(await confirmDialog({
        title: "Delete this window?",
        text: `${named(window.name)} and its row in the study's table will be gone. The video and its result stay.`,
        confirm: "Delete",
        danger: true,
      }))
    )
      return;
    try {
      await api.del(`${path}/${encodeURIComponent(window.id)}`);
      await reread();
    } catch (error) {
      toastProblem(error);
    }
  }
}

function row({ name, screen_time: present, measured, unsure, shares }) {
  const time = (seconds) => (seconds ? span(seconds) : "–");
  return [nameCell(name), time(measured), measured ? exact(unsure / measured) : "–", ...EXPRESSIONS.map((expression) => cell(shares[expression])), time(present)];
}

function cell(share) {
  return share ? h("span", {}, exact(share.value), share.low !== null && h("span", { class: "range" }, interval(share))) : "–";
}

function windowForm(store, add) {
  const field = (label, props) => h("input", { type: "text", required: true, autocomplete: "off", ...props, "aria-label": label });
  const name = field("Name", { maxlength: "200", placeholder: "Question 1" });
  const start = field("Start", { inputmode: "decimal", placeholder: "0:00.0" });
  const end = field("End", { inputmode: "decimal", placeholder: "0:10.0" });
  const failure = h("p", { class: "error", role: "alert", hidden: true });
  const suggest = () => {
    const { marks, view, zoomed, range } = store;
    if (marks.start === null && marks.end === null && !zoomed) return;
    start.value = moment(marks.start ?? (zoomed ? view[0] : range[0]), 2);
    end.value = moment(marks.end ?? (zoomed ? view[1] : range[1]), 2);
  };
  store.on("marks", suggest);
  store.on("view", suggest);
  suggest();
  const submit = async (event) => {
    event.preventDefault();
    const [from, to] = [seconds(start.value), seconds(end.value)];
    const wrong = !name.value.trim()
      ? "Give the window a name."
      : from === null || to === null
        ? "Write times as 1:05.2 or in seconds."
        : from >= to
          ? "The window must end after it starts."
          : to > store.range[1] + 0.05
            ? `The video ends at ${moment(store.range[1])}.`
            : "";
    failure.hidden = !wrong;
    failure.textContent = wrong;
    if (wrong) return;
    try {
      await add({ name: name.value.trim(), start: from, end: Math.min(to, store.range[1]) });
      name.value = "";
    } catch (error) {
      toastProblem(error);
    }
  };
  const labelled = (text, input) => h("div", { class: "field" }, h("span", { class: "label", "aria-hidden": "true" }, text), input);
  return h(
    "form",
    { class: "panel window-form", novalidate: true, onsubmit: submit },
    labelled("Name", name),
    labelled("Start", start),
    labelled("End", end),
    h("button", { class: "button primary", type: "submit" }, icon("plus"), "Add window"),
    failure,
  );
}
