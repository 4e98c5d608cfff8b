// Every number of the report, as tables to read.
import { EXPRESSIONS } from "../palette.js";
import { h } from "../ui.js";
import { grid, name } from "./grid.js";
import { INTERVAL, NO_INTERVAL, REASONS, exact, number, reasonWords, unsureWords } from "./words.js";

const range = (low, high) => (low === null || low === undefined ? null : `${(low * 100).toFixed(1)} – ${exact(high)}`);

export function statistics({ store, panel }) {
  const { people, totals, video } = store.report;
  const tables = [h("div", { class: "two" }, overall(totals, people), about(video))];
  if (people.length) tables.unshift(expressions(people, totals), times(people));
  if (people.length && !video.still) tables.push(presence(people));
  panel.replaceChildren(
    h("h2", {}, "Statistics"),
    h(
      "p",
      { class: "muted" },
      `Every number of the report. Shares are of measured time. ${INTERVAL} ${NO_INTERVAL} The share at worst is of all the time in the picture: `,
      "if what was not measured showed the expression never, or always. What is missing is in no interval. ",
      `A frame is unsure (${unsureWords(store.unsureBelow)}) where no expression is probable enough; it counts under the best one all the same.`,
    ),
    ...tables,
  );
}

function expressions(people, totals) {
  const heads = ["Person", "Expression", "Share", "95\u00a0% interval", "Episodes", "Share at worst", "Mean probability", "Frames", "Of these certain"];
  const rows = people.flatMap((person) =>
    EXPRESSIONS.map((expression, k) => {
      const share = person.shares[expression];
      const mean = person.average_confidences[expression];
      return [
        k ? h("span", { class: "visually-hidden" }, person.name) : name(person.name),
        word(expression),
        share && exact(share.value),
        ...more(share),
        mean?.toFixed(3),
        number(person.emotion_counts[expression] ?? 0),
        certain(person, expression),
      ];
    }),
  );
  if (people.length > 1 && Object.keys(totals.shares).length) {
    rows.push(
      ...EXPRESSIONS.map((expression, k) => [
        k ? h("span", { class: "visually-hidden" }, "Everybody") : "Everybody",
        word(expression),
        exact(totals.shares[expression].value),
        ...more(totals.shares[expression]),
        null,
        number(totals.emotion_counts[expression] ?? 0),
        certain(totals, expression),
      ]),
    );
  }
  const table = grid("Apparent expression", heads, rows, { words: [1], note: "Share of measured time." });
  table.classList.add("grouped", "expressions");
  return table;
}

const more = (share) => [share && range(share.low, share.high), share?.episodes ?? null, share && range(share.least, share.most)];

const certain = ({ certain_counts: counts }, expression) => counts && number(counts[expression] ?? 0);

const word = (expression) => h("span", { class: "with-swatch" }, h("span", { class: `swatch x-${expression}` }), expression);

function times(people) {
  const found = new Set(people.flatMap((person) => Object.keys(person.unmeasured)));
  const reasons = [
    ...Object.keys(REASONS).filter((reason) => found.has(reason)),
    ...[...found].filter((reason) => !(reason in REASONS)).sort(),
  ];
  const heads = [
    "Person",
    "First seen",
    "Last seen",
    "In the picture",
    "Measured",
    "Of this unsure",
    ...reasons.map(reasonWords),
    "Frames seen",
    "Frames measured",
    "Appearances",
  ];
  const rows = people.map((person) => [
    name(person.name),
    ...[
      person.first_seen,
      person.last_seen,
      person.screen_time,
      person.measured,
      person.unsure,
      ...reasons.map((reason) => person.unmeasured[reason] ?? 0),
    ].map((value) => (value === null ? null : number(value, 2))),
    number(person.frames_seen),
    number(person.frames_usable),
    number(person.tracks.length),
  ]);
  const table = grid("Time in seconds", heads, rows);
  table.classList.add("dense");
  return table;
}

function presence(people) {
  const rows = people.flatMap((person) =>
    person.segments.map(([start, end], k) => [
      k ? h("span", { class: "visually-hidden" }, person.name) : name(person.name),
      number(start, 2),
      number(end, 2),
      number(end - start, 2),
    ]),
  );
  const table = grid("When each person was in the picture, in seconds", ["Person", "From", "To", "Length"], rows);
  table.classList.add("grouped", "tall");
  return table;
}

function overall(totals, people) {
  const measured = people.reduce((sum, person) => sum + person.measured, 0);
  const rows = [
    ["Frames analysed", number(totals.frames)],
    ["Frames damaged", number(totals.frames_damaged)],
    ["Frames with a face", number(totals.frames_with_faces)],
    ["Analysed time", `${number(totals.duration, 2)} s`],
    ["Time with at least one face measured", exact(totals.coverage)],
    ["Unsure of everybody’s measured time", totals.unsure === null || !measured ? null : exact(totals.unsure / measured)],
  ];
  return grid("The whole analysis", ["Figure", "Value"], rows);
}

function about(video) {
  const rows = [
    ["Length", `${number(video.duration, 3)} s`],
    ["Picture", `${video.width} × ${video.height}`],
    ["Frame rate", `${Number(video.rate.toPrecision(6))} /s${video.variable_rate ? ", variable" : ""}`],
    ["Frames", number(video.frames)],
    ["Codec", `${video.codec}, ${video.pixel_format}`],
    ["Container", video.container],
    ["Turned by", `${video.rotation}°${video.mirrored ? ", mirrored" : ""}`],
    ["Sound", video.has_audio ? "yes" : "no"],
  ];
  return grid("The video", ["Fact", "Value"], rows);
}
