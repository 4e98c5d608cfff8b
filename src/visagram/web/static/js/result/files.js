// All exports, of everything or of a part; the annotated video is made on demand.
import { api, askForToken, headers, offline } from "../api.js";
import { bytes, h, icon, percent, toast, toastProblem } from "../ui.js";
import { fillWith } from "./waiting.js";
import { moment, seconds } from "./words.js";

const FILTERED = new Set(["csv", "parquet"]);
const EVERY = 1500;

export function files({ store, panel }) {
  const part = { start: null, end: null, person: "" };
  const list = h("div", { class: "files-list" });
  const head = [h("h2", {}, "Files"), h("p", { class: "muted" }, "Everything that was measured, to take along.")];
  panel.replaceChildren(
    ...head,
    filters(store, part, () => show()),
    list,
  );
  let items = null;
  const show = () =>
    fillWith(list, async () => {
      items ??= (await api.get(`${store.path}/exports`)).items;
      return [
        h(
          "ul",
          { class: "files" },
          original(store),
          items.map((item) => (item.format === "mp4" ? annotated(store, item) : file(item, part))),
        ),
      ];
    });
  show();
}

function row(title, what, size, action) {
  return h(
    "li",
    {},
    h("div", {}, h("p", { class: "file-title" }, title), h("p", { class: "muted small" }, what)),
    h("span", { class: "muted small" }, size),
    action,
  );
}

function original(store) {
  const { video } = store;
  const link = h(
    "a",
    { class: "button small", href: api.url(video.content_url, { download: 1 }), download: true, "aria-label": "Download the original" },
    icon("download"),
    "Download",
  );
  return row(
    h("bdi", {}, video.name),
    store.facts.still ? "The picture as it was uploaded" : "The video as it was uploaded",
    bytes(video.bytes),
    link,
  );
}

function file(item, part) {
  const filtered = FILTERED.has(item.format) && (part.person || part.start !== null || part.end !== null);
  const address = api.url(item.url, filtered ? part : {});
  const link = h(
    "a",
    { class: "button small", href: address, download: true, "aria-label": `Download ${item.name}` },
    icon("download"),
    "Download",
  );
  return row(
    item.name,
    filtered ? `${item.what} (the chosen part)` : item.what,
    filtered || !item.bytes ? "made on demand" : bytes(item.bytes),
    link,
  );
}

function filters(store, part, changed) {
  if (!store.people.length || store.facts.still) return null;
  const person = h(
    "select",
    {},
    h("option", { value: "" }, "Everybody"),
    store.people.map(({ id, name }) => h("option", { value: String(id) }, name)),
  );
  const times = ["start", "end"].map((key) => {
    const input = h("input", {
      type: "text",
      inputmode: "decimal",
      placeholder: moment(key === "start" ? store.range[0] : store.range[1]),
      autocomplete: "off",
    });
    input.addEventListener("change", () => {
      part[key] = input.value.trim() ? seconds(input.value) : null;
      input.setAttribute("aria-invalid", String(Boolean(input.value.trim()) && part[key] === null));
      changed();
    });
    return input;
  });
  person.addEventListener("change", () => {
    part.person = person.value;
    changed();
  });
  const view = h(
    "button",
    {
      class: "button small",
      type: "button",
      onclick: () => {
        [part.start, part.end] = store.view.map((time) => Number(time.toFixed(3)));
        times.forEach((input, k) => {
          input.value = moment(store.view[k], 2);
        });
        changed();
      },
    },
    "Use the time on view",
  );
  const field = (label, input) => h("div", { class: "field" }, h("label", {}, label, input));
  return h(
    "fieldset",
    { class: "filters" },
    h("legend", {}, "Only a part (CSV and Parquet)"),
    field("From", times[0]),
    field("To", times[1]),
    field("Person", person),
    view,
  );
}

function annotated(store, item) {
  const place = h("div", { class: "making" });
  const node = row(item.name, item.what, item.bytes ? bytes(item.bytes) : "made on demand", place);
  const address = api.url(item.url);
  const ready = () =>
    place.replaceChildren(
      h("a", { class: "button small", href: address, download: true, "aria-label": `Download ${item.name}` }, icon("download"), "Download"),
    );
  const offer = () => place.replaceChildren(h("button", { class: "button small", type: "button", onclick: make }, icon("film"), "Make it"));
  const bar = h("progress", { class: "progress", max: 1, "aria-label": "Making the annotated video" });
  const words = h("span", { class: "muted small" });

  async function make() {
    place.replaceChildren(bar, words);
    try {
      await api.post(item.url);
      follow();
    } catch (error) {
      toastProblem(error);
      offer();
    }
  }
  async function follow() {
    let found;
    try {
      found = await state(address);
    } catch (error) {
      toastProblem(error);
      offer();
      return;
    }
    if (found === "done") {
      ready();
      toast("The annotated video is ready.", { kind: "done" });
    } else if (["failed", "cancelled"].includes(found.state)) {
      toast(found.error?.detail ?? found.detail ?? "The annotated video could not be made.", { kind: "error" });
      offer();
    } else {
      if (Number.isFinite(found.progress)) bar.value = found.progress;
      words.textContent = Number.isFinite(found.progress) ? percent(found.progress) : "";
      if (place.isConnected) setTimeout(follow, EVERY);
    }
  }
  if (item.bytes) ready();
  else if (["queued", "running"].includes(item.state)) {
    place.replaceChildren(bar, words);
    setTimeout(follow);
  } else offer();
  return node;
}

/** "done" where the file itself is answered (its bytes are not read), else the job's `{state, progress}`. */
async function state(address) {
  const stop = new AbortController();
  let response;
  try {
    response = await fetch(address, { headers: headers(), credentials: "same-origin", signal: stop.signal });
  } catch {
    throw offline();
  }
  if (response.status === 401) askForToken();
  if ((response.headers.get("Content-Type") ?? "").startsWith("video/")) {
    stop.abort();
    return "done";
  }
  return response.json();
}
