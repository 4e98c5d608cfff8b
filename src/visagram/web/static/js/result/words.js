// How the page words numbers, times and what was seen: the twin of `visagram.export.words`.
import { EXPRESSIONS } from "../palette.js";
import { clock as whole, percent } from "../ui.js";

export const REASONS = {
  too_small: "too small",
  blurred: "blurred",
  turned: "turned away",
  cut_off: "cut off",
  lying: "lying on its side",
  not_decoded: "video damaged",
  not_visible: "not in the picture",
};

const TIME_BASIS = { repaired: "some frame times repaired", guessed: "frame times guessed" };
const UNSURE_BELOW = 0.5;

/** By expression: an observation that shows it best, but less surely, is unsure. As in core, where a model's card does not say. */
export function unsureBelow(models) {
  const stated = models.find(({ task }) => task === "expression")?.unsure_below ?? UNSURE_BELOW;
  return EXPRESSIONS.map((name) => (typeof stated === "number" ? stated : stated[name]));
}

export const reasonWords = (reason) => REASONS[reason] ?? reason.replaceAll("_", " ");

/** Seconds as "4.2 s" below ten seconds, else "1:05". */
export const span = (seconds) => (seconds < 9.95 ? `${seconds.toFixed(1)} s` : whole(seconds));

/** A point in time as "0:05.2" or "1:01:05.2". */
export function moment(seconds, digits = 1) {
  const unit = 10 ** digits;
  const ticks = Math.round(Math.max(0, seconds) * unit);
  const hours = Math.floor(ticks / unit / 3600);
  const minutes = Math.floor(ticks / unit / 60) % 60;
  const rest = (ticks / unit) % 60;
  const tail = `${hours ? String(minutes).padStart(2, "0") : minutes}:${rest.toFixed(digits).padStart(digits ? 3 + digits : 2, "0")}`;
  return hours ? `${hours}:${tail}` : tail;
}

/** "0:12.3" or "72.3" as seconds; null where it is neither. */
export function seconds(text) {
  const parts = String(text).trim().replace(",", ".").split(":");
  if (!parts.length || parts.length > 3 || parts.some((part) => !/^\d+(\.\d*)?$/.test(part))) return null;
  return parts.reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** The 95 % interval as "55–67 %"; "–" where there is none. */
export function interval(share) {
  if (share.low === null) return "–";
  if (share.high < 0.005) return "<1\u00a0%";
  return `${Math.round(share.low * 100)}–${Math.round(share.high * 100)}\u00a0%`;
}

const FEWEST = 5;
export const INTERVAL =
  "The 95\u00a0% interval is a range for the share in the long run of footage like this. It does not hold the errors of the model, and the next video may well lie outside it.";
export const NO_INTERVAL = `No interval where an expression began fewer than ${FEWEST} times or nothing changed: too little to tell one.`;

/** Whether some of these shares, above nothing, has no interval. */
export const untold = (shares) => shares.some((share) => share.low === null && share.value);

export const exact = (share) => `${(share * 100).toFixed(1)}\u00a0%`;

export const number = (value, digits = 0) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

const listed = (words, last = " and ") => (words.length > 1 ? `${words.slice(0, -1).join(", ")}${last}${words.at(-1)}` : words.join(""));

const MOST_LETTERS = 28;
const COUNTS = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"];

/** A name between characters that keep a right-to-left name from turning the sentence around. */
export const named = (name) => `\u2068${name}\u2069`;

/** A name short enough for a sentence. */
function brief(name) {
  const letters = [...name];
  return named(
    letters.length > MOST_LETTERS
      ? `${letters
          .slice(0, MOST_LETTERS - 1)
          .join("")
          .trimEnd()}…`
      : name,
  );
}

/** Who was seen and which apparent expression each showed most, in two sentences at most. */
export function headline({ people, totals }) {
  if (!people.length) return "No face was found.";
  const seen = `${COUNTS[people.length] ?? number(people.length)} ${people.length === 1 ? "person was" : "people were"} seen`;
  const groups = new Map();
  for (const person of people) {
    const words = mostly(person);
    if (words) groups.set(words, [...(groups.get(words) ?? []), brief(person.name)]);
  }
  const measured = [...groups.values()].flat().length;
  if (!measured) return `${seen}, but no face was clear enough to measure an apparent expression.`;
  if (people.length === 1) return `${seen}. The apparent expression was ${[...groups.keys()][0]}.`;
  if (measured > 4) {
    const ranking = [...EXPRESSIONS].sort((a, b) => totals.emotion_counts[b] - totals.emotion_counts[a]);
    const top = ranking.slice(0, 2).filter((name) => totals.emotion_counts[name]);
    return `${seen}. Over all of them the apparent expression was most often ${top.join(", then ")}.`;
  }
  const phrases = [...groups].map(([words, names]) => `${words} for ${listed(names)}`);
  return `${seen}. The apparent expression was ${listed(phrases, ", and ")}.`;
}

/** How sure the headline is: the leading shares with their intervals, and how much was measured at all. */
export function certainty({ people, totals, video }) {
  const measured = people.filter((person) => person.most_common_emotion);
  if (!measured.length) return "";
  if (video.still) return "A single picture shows a single instant: it says nothing about before or after.";
  const lead = (shares, name) => `${name} ${percent(shares[name].value)}${shares[name].low === null ? "" : ` (${interval(shares[name])})`}`;
  const coverage = `At least one face was measured during ${percent(totals.coverage)} of the time.`;
  const top = (shares) => Object.keys(shares).reduce((a, b) => (shares[b].value > shares[a].value ? b : a));
  const told = (all) => (all.some((shares) => shares[top(shares)].low !== null) ? ", in brackets the 95\u00a0% interval" : ", after too few changes for an interval");
  if (people.length === 1)
    return `Of the measured time ${lead(measured[0].shares, top(measured[0].shares))}${told([measured[0].shares])}. ${coverage}`;
  if (measured.length > 4)
    return `Of everybody’s measured time ${lead(totals.shares, top(totals.shares))}${told([totals.shares])}. ${coverage}`;
  const each = measured.map((person) => `${brief(person.name)} ${lead(person.shares, top(person.shares))}`);
  return `Of the measured time: ${each.join(", ")}${told(measured.map(({ shares }) => shares))}. ${coverage}`;
}

/** "only", "mostly" (at least half of the measured frames) or "most often", and which; empty if nothing was measured. */
export function mostly(person) {
  if (!person.most_common_emotion) return "";
  const held = Math.max(...Object.values(person.emotion_counts)) / person.frames_usable;
  const alone = person.frames_usable === 1 ? "" : "only ";
  return `${held === 1 ? alone : held >= 0.5 ? "mostly " : "most often "}${person.most_common_emotion}`;
}

/** [expression, share] pairs, largest first. */
export const ranked = (person) => Object.entries(person.shares).sort((a, b) => b[1].value - a[1].value);

/** What unsure means under these thresholds, one for each expression. */
export function unsureWords(below) {
  const often = (limit) => below.filter((each) => each === limit).length;
  const usual = below.reduce((best, limit) => (often(limit) > often(best) ? limit : best));
  const words = (limit) => `below ${Math.round(limit * 100)}\u00a0%`;
  const others = EXPRESSIONS.flatMap((name, k) => (below[k] === usual ? [] : [`${name} ${words(below[k])}`]));
  return [`best expression ${words(usual)}`, ...others].join("; ");
}

/** Share of measured time in which the model was unsure; null where nothing was measured or an old result does not say. */
export const unsureShare = ({ measured, unsure }) => (measured && unsure !== null ? unsure / measured : null);

/** [kind, words, seconds] of the parts of the analysed time worth naming. */
export const spent = (person) =>
  [
    ["measured", "measured", person.measured - (person.unsure ?? 0)],
    ["unsure", "measured, unsure", person.unsure ?? 0],
    ...unmeasured(person).map(([name, time]) => [name, reasonWords(name), time]),
  ].filter(([, , time]) => time > 1e-3);

/** [reason, seconds] of the unmeasured time worth naming. */
export const unmeasured = (person) => Object.entries(person.unmeasured).filter(([, time]) => time > 1e-3);

/** The video's facts, one phrase each. */
export function facts(video, size) {
  const shape = `${video.width} × ${video.height}`;
  if (video.still) return [shape, "still picture", video.codec, size];
  const rate = `${Number(video.rate.toPrecision(4))} frames/s${video.variable_rate ? ", variable" : ""}`;
  const times = TIME_BASIS[video.time_basis];
  return [span(video.duration), shape, rate, video.codec, video.has_audio ? "with sound" : "no sound", size, ...(times ? [times] : [])];
}
