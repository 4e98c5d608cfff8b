import assert from "node:assert/strict";
import { test } from "node:test";
import { EXPRESSIONS } from "visagram/palette.js";
import * as words from "visagram/result/words.js";

const NBSP = "\u00a0";
const alone = (name) => `\u2068${name}\u2069`;

/** A person with frames by expression, an interval of ± 5 % around each share. */
function person(name, counts, facts = {}) {
  const total = Object.values(counts).reduce((a, b) => a + b, 0);
  const shares = Object.fromEntries(
    EXPRESSIONS.map((key) => {
      const value = (counts[key] ?? 0) / (total || 1);
      return [key, { value, low: Math.max(0, value - 0.05), high: Math.min(1, value + 0.05) }];
    }),
  );
  const [top] = Object.entries(counts).sort((a, b) => b[1] - a[1])[0] ?? [null];
  return { name, emotion_counts: counts, frames_usable: total, shares, most_common_emotion: total ? top : null, ...facts };
}

function totals(counts, coverage = 0.8) {
  const { shares, emotion_counts } = person("", counts);
  return { shares, emotion_counts: { ...Object.fromEntries(EXPRESSIONS.map((key) => [key, 0])), ...emotion_counts }, coverage };
}

test("spans of time are short below ten seconds and a clock from there on", () => {
  assert.deepEqual([0, 4.24, 9.94, 9.95, 10, 65, 3661].map(words.span), ["0.0 s", "4.2 s", "9.9 s", "0:10", "0:10", "1:05", "1:01:01"]);
});

test("moments have tenths, and hours where there are any", () => {
  assert.deepEqual([0, 5.24, 59.96, 65.2, 3599.96, 3665.2, -3].map((s) => words.moment(s)), [
    "0:00.0", "0:05.2", "1:00.0", "1:05.2", "1:00:00.0", "1:01:05.2", "0:00.0",
  ]);
  assert.deepEqual([words.moment(5.236, 2), words.moment(65.6, 0), words.moment(36000, 0)], ["0:05.24", "1:06", "10:00:00"]);
});

test("what people type as a time is read, and nothing else", () => {
  const cases = { "0:12.3": 12.3, "72.3": 72.3, "72,5": 72.5, " 1:02:03.5 ": 3723.5, "5.": 5, "90:00": 5400 };
  for (const [text, seconds] of Object.entries(cases)) assert.equal(words.seconds(text), seconds, text);
  for (const text of ["", "a", "1:", ":5", "1:2:3:4", "-5", "1e3", "1:-5", "5 s"]) assert.equal(words.seconds(text), null, text);
  for (const time of [0, 0.1, 59.9, 61.5, 3599.9, 3600, 7265.3]) assert.equal(words.seconds(words.moment(time)), time);
});

test("intervals are whole percents", () => {
  assert.equal(words.interval({ low: 0.551, high: 0.674 }), `55–67${NBSP}%`);
  assert.equal(words.interval({ low: 0, high: 0.004 }), `<1${NBSP}%`);
  assert.equal(words.interval({ low: 0, high: 0.005 }), `0–1${NBSP}%`);
  assert.equal(words.interval({ low: null, high: null }), "–");
  assert.equal(words.exact(0.12345), `12.3${NBSP}%`);
});

test("how much of an expression was seen is one of three words", () => {
  assert.equal(words.mostly(person("A", { happy: 10 })), "only happy");
  assert.equal(words.mostly(person("A", { happy: 1 })), "happy");
  assert.equal(words.mostly(person("A", { happy: 5, sad: 5 })), "mostly happy");
  assert.equal(words.mostly(person("A", { happy: 4, sad: 3, fear: 3 })), "most often happy");
  assert.equal(words.mostly(person("A", {})), "");
});

test("the headline speaks of nobody, one, some and many", () => {
  const of = (people, all = {}) => words.headline({ people, totals: totals(all) });
  assert.equal(of([]), "No face was found.");
  assert.equal(of([person("Ada", { sad: 5 })]), "One person was seen. The apparent expression was only sad.");
  assert.equal(of([person("Ada", {})]), "One person was seen, but no face was clear enough to measure an apparent expression.");
  const [ada, bob, cy] = [person("Ada", { happy: 4, sad: 1 }), person("Bob", { sad: 5 }), person("Cy", { happy: 4, fear: 1 })];
  assert.equal(
    of([ada, bob, cy]),
    `Three people were seen. The apparent expression was mostly happy for ${alone("Ada")} and ${alone("Cy")}, and only sad for ${alone("Bob")}.`,
  );
  assert.equal(
    of([ada, bob, cy, ada, bob], { neutral: 9, sad: 12, happy: 1 }),
    "Five people were seen. Over all of them the apparent expression was most often sad, then neutral.",
  );
  assert.equal(
    of(Array.from({ length: 12 }, () => bob), { sad: 12 }),
    "12 people were seen. Over all of them the apparent expression was most often sad.",
  );
});

test("a long name is cut so that the sentence stays one", () => {
  const long = "😀".repeat(40);
  const text = words.headline({ people: [person(long, { sad: 2 }), person("B", {})], totals: totals({}) });
  assert.ok(text.includes(alone(`${"😀".repeat(27)}…`)), text);
  assert.ok(!words.headline({ people: [person("n".repeat(28), { sad: 2 }), person("B", {})], totals: totals({}) }).includes("…"));
});

test("how sure it is: the leading share with its interval, and how much was measured", () => {
  const of = (people, video = {}) => words.certainty({ people, totals: totals({ sad: 6, happy: 4 }, 0.5), video });
  const coverage = `At least one face was measured during 50${NBSP}% of the time.`;
  const [ada, bob] = [person("Ada", { happy: 3, sad: 1 }), person("Bob", { fear: 1, sad: 1, neutral: 2 })];
  assert.equal(of([]), "");
  assert.equal(of([person("A", {})]), "");
  assert.equal(of([ada], { still: true }), "A single picture shows a single instant: it says nothing about before or after.");
  assert.equal(of([ada]), `Of the measured time happy 75${NBSP}% (70–80${NBSP}%), in brackets the 95${NBSP}% interval. ${coverage}`);
  assert.equal(
    of([ada, bob]),
    `Of the measured time: ${alone("Ada")} happy 75${NBSP}% (70–80${NBSP}%), ` +
      `${alone("Bob")} neutral 50${NBSP}% (45–55${NBSP}%), in brackets the 95${NBSP}% interval. ${coverage}`,
  );
  assert.equal(
    of([ada, bob, ada, bob, ada]),
    `Of everybody’s measured time sad 60${NBSP}% (55–65${NBSP}%), in brackets the 95${NBSP}% interval. ${coverage}`,
  );
});

test("where too little changed for an interval, that is said", () => {
  const ada = person("Ada", { happy: 3, sad: 1 });
  for (const share of Object.values(ada.shares)) share.low = share.high = null;
  const found = words.certainty({ people: [ada], totals: totals({ happy: 1 }, 0.5), video: {} });
  assert.ok(found.startsWith(`Of the measured time happy 75${NBSP}%, after too few changes for an interval. `));
  assert.ok(words.untold(Object.values(ada.shares)));
  assert.ok(!words.untold([{ value: 0, low: null, high: null }]));
});

test("shares are ranked, the largest first", () => {
  const names = words.ranked(person("A", { fear: 2, sad: 5, happy: 3 })).map(([name]) => name);
  assert.deepEqual(names.slice(0, 3), ["sad", "happy", "fear"]);
  assert.equal(names.length, EXPRESSIONS.length);
});

test("time is told apart into measured, unsure and each reason worth naming", () => {
  const spent = words.spent({ measured: 10, unsure: 2.5, unmeasured: { turned: 3, blurred: 0, not_visible: 1, odd_thing: 0.5 } });
  assert.deepEqual(spent, [
    ["measured", "measured", 7.5],
    ["unsure", "measured, unsure", 2.5],
    ["turned", "turned away", 3],
    ["not_visible", "not in the picture", 1],
    ["odd_thing", "odd thing", 0.5],
  ]);
  assert.deepEqual(words.spent({ measured: 4, unsure: null, unmeasured: {} }), [["measured", "measured", 4]]);
});

test("reasons for which no time was lost are not listed", () => {
  assert.deepEqual(words.unmeasured({ unmeasured: { turned: 3, blurred: 0, cut_off: 1e-4 } }), [["turned", 3]]);
});

test("the unsure share is of measured time, and unknown where a result does not say", () => {
  assert.equal(words.unsureShare({ measured: 8, unsure: 2 }), 0.25);
  assert.equal(words.unsureShare({ measured: 8, unsure: 0 }), 0);
  assert.equal(words.unsureShare({ measured: 8, unsure: null }), null);
  assert.equal(words.unsureShare({ measured: 0, unsure: 0 }), null);
});

test("the threshold of the unsure is that of the expression model's card", () => {
  const models = [{ task: "face detection", unsure_below: 0.9 }, { task: "expression", unsure_below: 0.37 }];
  assert.deepEqual(words.unsureBelow(models), Array(7).fill(0.37));
  assert.deepEqual(words.unsureBelow([]), Array(7).fill(0.5));
  assert.deepEqual(words.unsureBelow([{ task: "expression" }]), Array(7).fill(0.5));
  assert.equal(words.unsureWords(words.unsureBelow(models)), "best expression below 37\u00a0%");
});

test("a card may be stricter about one expression", () => {
  const stated = { angry: 0.6, disgust: 0.6, fear: 0.6, happy: 0.6, sad: 0.6, surprise: 0.6, neutral: 0.8 };
  const below = words.unsureBelow([{ task: "expression", unsure_below: stated }]);
  assert.deepEqual(below, [0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.8]);
  assert.equal(words.unsureWords(below), "best expression below 60\u00a0%; neutral below 80\u00a0%");
});

test("a video's facts, one phrase each", () => {
  const video = { width: 640, height: 360, duration: 83, rate: 30000 / 1001, variable_rate: false, codec: "h264", has_audio: true, still: false };
  assert.deepEqual(words.facts(video, "4.2 MB"), ["1:23", "640 × 360", "29.97 frames/s", "h264", "with sound", "4.2 MB"]);
  assert.equal(words.facts({ ...video, variable_rate: true, rate: 25 }, "1 kB")[2], "25 frames/s, variable");
  assert.equal(words.facts({ ...video, has_audio: false }, "1 kB")[4], "no sound");
  assert.deepEqual(words.facts({ ...video, still: true }, "1 kB"), ["640 × 360", "still picture", "h264", "1 kB"]);
  const times = (time_basis) => words.facts({ ...video, time_basis }, "1 kB").slice(6);
  assert.deepEqual([null, "exact", "repaired", "guessed"].map(times), [[], [], ["some frame times repaired"], ["frame times guessed"]]);
});

test("every reason that the program gives has words of its own", () => {
  const reasons = ["too_small", "blurred", "turned", "cut_off", "not_decoded", "not_visible"];
  const said = reasons.map(words.reasonWords);
  assert.equal(new Set(said).size, reasons.length);
  assert.ok(said.every((text) => /^[a-z ]+$/.test(text)));
  assert.equal(words.reasonWords("some_new_reason"), "some new reason");
});

test("the words never claim a feeling", () => {
  const people = [person("Ada", { happy: 4, sad: 1 }), person("Bob", { sad: 5 })];
  const report = { people, totals: totals({ happy: 4, sad: 6 }), video: {} };
  const text = words.headline(report) + words.certainty(report);
  assert.match(words.headline(report), /apparent expression/);
  assert.doesNotMatch(text, /feel|emotion/i);
});
