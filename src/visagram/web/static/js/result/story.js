// The words at the top: what was seen, how sure that is, what went wrong, and what to do where nobody was found.
import { api } from "../api.js";
import { copyText } from "../copy.js";
import { analyseAgain } from "../form.js";
import { bytes, clock, count, h, icon, percent, toastProblem } from "../ui.js";
import { otherModels } from "./other-models.js";
import { isOtherStream } from "./shapes.js";
import { fillWith } from "./waiting.js";
import { certainty, facts, headline, number, span } from "./words.js";

export function story(store, find) {
  const { report, video } = store;
  const { totals } = report;
  find("lead").textContent = headline(report);
  find("sure").textContent = certainty(report);
  find("facts").replaceChildren(...[...facts(report.video, bytes(video.bytes)), ...otherModels(report)].map((fact) => h("span", {}, fact)));
  const { duration, still } = report.video;
  const whole = totals.duration > duration - 0.1 ? "the whole video" : `of ${clock(duration)}`;
  const damaged = totals.frames_damaged ? `, ${number(totals.frames_damaged)} damaged` : "";
  const figures = [
    ["People", String(report.people.length), report.people.length ? "by likeness of their faces" : "no face was found"],
    ["Analysed", still ? "1" : span(totals.duration), still ? "still picture" : whole],
    ["Frames", number(totals.frames), `${number(totals.frames_with_faces)} with a face${damaged}`],
    ["Measured", percent(totals.coverage), "of the time, at least one face"],
  ];
  const cells = figures.map(([name, value, note]) => h("div", {}, h("dt", {}, name), h("dd", {}, value), h("dd", { class: "note" }, note)));
  find("figures").replaceChildren(...(still ? [cells[0], cells[3]] : cells));
}

/** The report as a paragraph, asked for when somebody opens it; again after people were changed. */
export function inWords(store, details) {
  const place = details.querySelector("div");
  const tell = () =>
    fillWith(place, async () => {
      const { text } = await api.get(`${store.path}/account`);
      const words = h("p", { class: "account" }, text);
      const button = h("button", { class: "button small", type: "button" }, icon("copy"), "Copy");
      button.addEventListener("click", () => copyText(text, words));
      return [words, button];
    });
  details.addEventListener("toggle", () => details.open && tell());
  return { again: () => details.open && tell() };
}

/** What was repaired, guessed, chosen or left out. Counts and seconds are in the sentences. */
export function warnings(store, root) {
  const found = [...store.report.warnings];
  const played = store.video.facts;
  if (isOtherStream(store.facts, played))
    found.push({
      message: `The player shows stream ${played.stream} of the file, but stream ${store.facts.stream} was analysed: no boxes are drawn on it. The annotated video shows the right one.`,
    });
  root.replaceChildren(
    ...(found.length
      ? [
          h(
            "ul",
            { class: "notice", "aria-label": "Warnings" },
            found.map(({ message }) => h("li", {}, message)),
          ),
        ]
      : []),
  );
}

/** A failure to load, with its cause and a way on. */
export function problem(root, error, again) {
  const retry = h("button", { class: "button primary", type: "button", onclick: again }, icon("retry"), "Try again");
  root.replaceChildren(
    h(
      "div",
      { class: "notice danger", role: "alert" },
      h("p", {}, h("strong", {}, "The result could not be loaded. "), error.detail),
      h("div", { class: "row" }, retry, h("a", { class: "button", href: "/" }, "Back to the library")),
    ),
  );
}

/** Where nobody was found: why that may be, and what to try. */
export function nobody(store, people, lanes) {
  lanes.hidden = true;
  const looked = `Visagram looked at ${count(store.report.totals.frames, "frame")} and found no face in any of them. That is a result, not a failure.`;
  const ask = () => analyseAgain({ id: store.videoId, name: store.video.name, settings: store.analysis.settings }).catch(toastProblem);
  const again = h("button", { class: "button primary", type: "button", onclick: ask }, icon("settings"), "Analyse with other settings");
  people.replaceChildren(
    h(
      "div",
      { class: "prose nobody" },
      h("h2", { id: "people-title" }, "Nobody to show"),
      h("p", {}, looked),
      h("p", {}, "If there are people in it, these are the usual reasons:"),
      h(
        "ul",
        {},
        h("li", {}, "Their faces are smaller than the smallest face looked for: try a smaller “smallest face”."),
        h("li", {}, "They are seen from the side or from behind, covered, or very dark."),
        h("li", {}, "They are outside the part of the picture or of the time that was analysed: see Method below."),
      ),
      h("p", {}, again),
    ),
  );
}
