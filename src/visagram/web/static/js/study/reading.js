// A comparison in plain words. Pure: results in, sentences out; a sentence is a list of text, {name} and {aside} parts.

const TOLD = 4;
const FEW = 6;
const FEWEST = 3;
const LEVEL = 0.05;
const UNSURE = 2;
const CORRECTED = " Over all differences of this comparison together, this may be chance.";

/** "12 points", "1 point", "less than 1 point": a difference of shares (0 to 1), without its sign. */
export function points(difference) {
  const whole = Math.round(Math.abs(difference) * 100);
  if (whole === 0) return "less than 1 point";
  return `${whole} ${whole === 1 ? "point" : "points"}`;
}

function edge(value) {
  const size = Math.abs(value * 100);
  const text = size < 1 ? String(Number(size.toFixed(1))) : String(Math.round(size));
  return value < 0 && text !== "0" ? `−${text}` : text;
}

/** What is counted: by participant, the unit is the video. */
function units(n, by) {
  const noun = by === "participant" ? "video" : "participant";
  return `${n} ${n === 1 ? noun : `${noun}s`}`;
}

function place(by, name) {
  return { condition: ["in ", { name }], tag: ["in videos tagged ", { name }], participant: ["for ", { name }] }[by];
}

const capital = ([first, ...rest]) => [first[0].toUpperCase() + first.slice(1), ...rest];

/** A difference turned so that it is positive: {more, less, size, low, high}. */
export function turned({ a, b, difference, low, high }) {
  return difference >= 0 ? { more: a, less: b, size: difference, low, high } : { more: b, less: a, size: -difference, low: -high, high: -low };
}

function sentence(each, by, measure) {
  const { more, less, size, low, high } = turned(each);
  const what = measure === "share"
    ? `apparent ${each.expression} was shown ${points(size)} more of the measured time than `
    : `apparent ${each.expression} was on average ${points(size)} more probable than `;
  const who = each.paired ? `${units(each.n[0], by)} in both` : `${each.n.join(" and ")} ${by === "participant" ? "videos" : "participants"}`;
  return [...capital(place(by, more)), `, ${what}`, ...place(by, less), { aside: ` (95\u00a0% interval ${edge(low)} to ${edge(high)}, ${who})` }, "."];
}

const measured = ({ low, high, alike }) => !alike && Number.isFinite(low) && Number.isFinite(high);
const apart = (each) => measured(each) && (each.low > 0 || each.high < 0);
const enough = ({ n }) => Math.min(...n) >= FEWEST;
const holds = (each) => enough(each) && Number.isFinite(each.corrected) && each.corrected < LEVEL;
const worth = (each) => measured(each) && (holds(each) || apart(each));
// What "neutral" loses the others gain: it is told after them.
const rest = ({ expression }) => Number(expression === "neutral");
const byStrength = (x, y) => holds(y) - holds(x) || rest(x) - rest(y) || (x.corrected ?? 1) - (y.corrected ?? 1) || Math.abs(y.difference) - Math.abs(x.difference);

/** The difference that is told first; undefined where none can be told. */
export const strongest = (differences) => differences.filter(worth).sort(byStrength)[0];

/**
 * `lead` is the headline, `more` are further sentences, `cautions` say what limits them.
 *
 * A difference counts as clear where its p value over all differences of the comparison together is below 0.05, as the
 * headline counts, with three participants or more; where only the interval does, the sentence says so.
 */
export function read({ groups, differences }, by, measure) {
  if (!groups.length) return { lead: ["There is nothing to compare yet."], more: [], cautions: [`It takes analysed videos with a ${by}.`] };
  if (groups.length === 1) {
    const [{ name, n }] = groups;
    return { lead: ["So far there is only ", { name }, `, with ${units(n, by)}.`], more: [], cautions: [`A comparison needs a second ${by}.`] };
  }
  const told = differences.filter(measured);
  const between = groups.length === 2 ? [" between ", { name: groups[0].name }, " and ", { name: groups[1].name }] : [" between any two groups"];
  if (!told.length) return { lead: ["No difference can be judged yet."], more: [], cautions: [tooFew(groups, by)] };

  const found = told.filter(worth).sort(byStrength);
  const [clear, tentative] = [found.filter(holds), found.filter((each) => !holds(each))];
  const more = clear.slice(1, 1 + TOLD).map((each) => sentence(each, by, measure));
  if (clear.length > 1 + TOLD) more.push([`${clear.length - 1 - TOLD} further differences are clear too; the tables have them.`]);
  for (const each of tentative.slice(0, UNSURE)) more.push([...sentence(each, by, measure), enough(each) ? CORRECTED : ` With so few ${by === "participant" ? "videos" : "participants"} this may be chance.`]);
  if (tentative.length > UNSURE) more.push([`${tentative.length - UNSURE} further ${tentative.length - UNSURE === 1 ? "interval leaves" : "intervals leave"} out zero, but may do so by chance.`]);
  const unclear = told.length - found.length;
  const cautions = [];
  if (!found.length) {
    const widest = Math.max(...told.map(({ low, high }) => Math.max(Math.abs(low), Math.abs(high))));
    cautions.push(`Every 95\u00a0% interval includes zero. That does not show that the groups are equal: differences of up to ${points(widest)} remain possible.`);
  } else if (unclear) {
    more.push([`For the other ${unclear === 1 ? "one" : unclear} of ${told.length} differences the interval includes zero: ${unclear === 1 ? "it" : "they"} cannot be told from chance.`]);
  }
  const fewest = Math.min(...told.flatMap(({ n }) => n));
  if (fewest < FEW) cautions.push(`Some of these intervals rest on only ${units(fewest, by)}. Take them as a hint, not as a finding.`);
  const lead = clear.length ? sentence(clear[0], by, measure) : ["No apparent expression differed clearly", ...between, "."];
  return { lead, more, cautions };
}

function tooFew(groups, by) {
  const sizes = groups.slice(0, 6).map(({ name, n }) => `${name}: ${units(n, by)}`).join(", ") + (groups.length > 6 ? ", …" : "");
  return `There is no interval, for lack of ${by === "participant" ? "videos" : "participants"} or of spread between them (${sizes}). The means below describe only them; they say nothing about a difference yet.`;
}
