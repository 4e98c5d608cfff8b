// One video of the library: what it is, how its analysis stands, and its menu.

import { api } from "./api.js";
import { explain } from "./causes.js";
import { analyseAgain } from "./form.js";
import { menuButton } from "./menu.js";
import { describeFields } from "./upload.js";
import { bytes, clock, count, h, icon, openDialog, percent, printable, toast, toastProblem, when } from "./ui.js";

const STAGES = { wait: "Waiting", probe: "Reading the video", analyse: "Measuring faces", summarise: "Summing up", done: "Done" };

/**
 * `{element, video, update(analysis), refresh(video), incomplete()}`; `list` has `remove(video)`, `replace(video)`, which
 * returns the row that shows it now, and `filterTag(tag)`. A row is incomplete until the video was looked into: then
 * `refresh` brings its length and poster.
 */
export function makeRow(video, list) {
  const link = () => (video.latest ? `/analyses/${video.latest.id}` : `/videos/${video.id}`);
  const state = h("div", { class: "state" });
  const people = h("p", { class: "people" });
  const more = h("button", { class: "button icon quiet more", type: "button", "aria-label": `More for ${video.name}` }, icon("more"));
  const name = h("a", { class: "name", href: link() }, h("bdi", {}, printable(video.name)));
  let [picture, line] = [poster(video), facts(video)];
  const element = h("li", { class: "video", data: { id: video.id } }, picture, h("div", { class: "what" }, h("h2", {}, name), line, chips(video, list.filterTag)), state, people, more);
  const row = { element, video, update, refresh, incomplete: () => !video.facts || !video.poster_url };

  function refresh(fresh) {
    video.facts = fresh.facts;
    video.poster_url = fresh.poster_url;
    picture.replaceWith((picture = poster(video)));
    line.replaceWith((line = facts(video)));
  }

  function update(analysis) {
    // Of several analyses of a video the newest one counts.
    if (video.latest && analysis.id !== video.latest.id && analysis.created < video.latest.created) return;
    video.latest = analysis;
    name.href = link();
    showState(state, analysis);
    people.textContent = analysis.state === "done" && analysis.people !== null ? (analysis.people === 0 ? "no face found" : count(analysis.people, "person", "people")) : "";
  }
  if (video.latest) update(video.latest);
  else state.append(h("span", { class: "badge cancelled" }, "Not analysed"));

  const again = () => analyseAgain({ id: video.id, name: video.name, settings: video.latest?.settings }).catch(toastProblem);
  menuButton(more, () => [
    { label: "Open", icon: "open", href: link() },
    { label: "Analyse again…", icon: "settings", action: again },
    { label: "Download the original", icon: "download", href: `${video.content_url}${video.content_url.includes("?") ? "&" : "?"}download=1`, download: "" },
    { label: "Rename and describe…", icon: "edit", action: () => describe(video, list) },
    null,
    { label: "Delete", icon: "delete", danger: true, action: () => list.remove(video) },
  ]);
  return row;
}

function poster(video) {
  const picture = video.poster_url ? h("img", { src: video.poster_url, alt: "", loading: "lazy", width: 128, height: 72 }) : icon("film");
  picture.addEventListener?.("error", () => picture.replaceWith(icon("film")));
  const length = video.facts && !video.facts.still ? h("span", { class: "length" }, h("span", { class: "visually-hidden" }, "length "), clock(video.facts.duration)) : null;
  return h("div", { class: "poster" }, picture, length);
}

function facts(video) {
  const known = video.facts;
  return h("p", { class: "facts" }, known ? h("span", {}, `${known.width} × ${known.height}`) : null, known?.still ? h("span", {}, "still picture") : null,
    h("span", {}, bytes(video.bytes)), h("span", {}, when(video.created)));
}

function chips(video, filterTag) {
  const said = [["participant", video.participant], ["condition", video.condition]].filter(([, text]) => text);
  if (!said.length && !video.tags.length) return null;
  return h("ul", { class: "chips" },
    said.map(([kind, text]) => h("li", {}, h("span", { class: "chip" }, h("span", { class: "kind" }, kind), h("bdi", {}, printable(text))))),
    video.tags.map((tag) => h("li", {}, h("button", { class: "chip", type: "button", title: `Only videos tagged ${tag}`, onclick: () => filterTag(tag) }, icon("tag"), h("bdi", {}, printable(tag))))));
}

/** Changes only what differs, so that a screen reader's place and the bar's motion are kept. */
function showState(box, analysis) {
  const { state, progress } = analysis;
  if (box.dataset.state !== state) {
    box.dataset.state = state;
    const words = { queued: "Waiting", running: "", done: "Done", failed: "Failed", cancelled: "Cancelled" }[state];
    box.replaceChildren(h("span", { class: `badge ${state}` }, words));
    if (state === "running") box.append(h("progress", { class: "progress thin", max: 1, "aria-label": `Analysis of ${analysis.video_name}` }), h("p", { class: "small muted" }));
    if (state === "failed") box.append(h("p", { class: "small muted" }, explain(analysis.error).what));
  }
  if (state !== "running") return;
  const [badge, bar, note] = box.children;
  badge.textContent = STAGES[progress.stage] ?? "Running";
  const counted = progress.stage === "analyse" && progress.total > 0;
  if (counted) bar.value = progress.completed / progress.total;
  else bar.removeAttribute("value");
  const left = progress.seconds_left !== null ? `${clock(progress.seconds_left)} left` : "";
  note.textContent = counted ? [percent(progress.completed / progress.total), left].filter(Boolean).join(" · ") : "";
}

/** The dialog that renames a video and says what it is about. */
function describe(video, list) {
  const input = h("input", { id: "video-name", type: "text", value: video.name, required: true, maxlength: 255, autocomplete: "off", "aria-describedby": "video-name-error" });
  const error = h("p", { class: "error", id: "video-name-error" });
  const about = describeFields(video);
  const notes = h("textarea", { id: "video-notes", value: video.notes ?? "", maxlength: 10000 });
  const save = h("button", { class: "button primary", type: "submit", form: "describe" }, "Save");
  const form = h("form", { class: "stack", id: "describe", novalidate: true, onsubmit: submit },
    h("div", { class: "field" }, h("label", { for: "video-name" }, "Name"), input, error), about.element,
    h("div", { class: "field" }, h("label", { for: "video-notes" }, "Notes"), notes));
  const dialog = openDialog({ title: "Rename and describe", body: form, actions: [save] });
  input.select();

  function complain(text) {
    error.textContent = text;
    input.setAttribute("aria-invalid", String(Boolean(text)));
    if (text) input.focus();
  }
  async function submit(event) {
    event.preventDefault();
    const name = input.value.trim();
    if (!name) return complain("A video needs a name.");
    save.disabled = true;
    try {
      const changed = await api.patch(`/videos/${video.id}`, { name, ...about.read(), notes: notes.value });
      const row = list.replace(changed);
      dialog.close();
      row?.element.querySelector(".more").focus();
      toast("Saved.", { kind: "done" });
    } catch (problem) {
      save.disabled = false;
      if (problem.name !== "Problem") throw problem;
      complain(problem.detail);
    }
  }
}
