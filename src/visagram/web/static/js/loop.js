// The loop: which model is in force, passes that try to make a better one, what they found; and corrected faces.
import { api } from "./api.js";
import { announce, confirmDialog, count, h, percent, toastProblem } from "./ui.js";

const EVERY = 1500;
const WORDS = { queued: "waiting", running: "at work", done: "done", failed: "failed", cancelled: "cancelled" };
const find = (id) => document.getElementById(id);
let turn = 0;
let opened = null;
let corrections = null;

find("improve").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const wanted = { ratio: Number(form.get("ratio")), seed: Number(form.get("seed")) };
  await act(async () => opened?.add((await api.post("/studio/passes", wanted)).id), "The pass is waiting for its turn.");
});

async function act(work, words) {
  try {
    await work();
    announce(words);
  } catch (error) {
    toastProblem(error);
  }
  corrections = null;
  refresh();
}

/** What the server answers, or the problem that it has. */
async function ask(path) {
  try {
    return await api.get(path);
  } catch (error) {
    if (error.name !== "Problem") throw error;
    return { problem: error.detail };
  }
}

async function refresh() {
  const mine = (turn += 1);
  // Corrections change by a person's hand alone: they are not asked for again and again.
  const [model, passes, faces] = await Promise.all([ask("/studio/model"), ask("/studio/passes"), corrections ?? ask("/studio/corrections")]);
  if (mine !== turn) return;
  const focused = document.activeElement?.dataset?.act;
  inForce(model);
  if (faces !== corrections) corrected(faces);
  corrections = faces;
  const items = passes.items ?? [];
  opened ??= new Set(items.slice(0, 1).map(({ id }) => id));
  find("passes").replaceChildren(...(passes.problem ? [h("li", { class: "notice danger" }, passes.problem)] : items.map(item)));
  if (focused) document.querySelector(`[data-act="${CSS.escape(focused)}"]`)?.focus();
  const busy = items.some(({ state }) => state === "queued" || state === "running");
  for (const control of find("improve").elements) control.disabled = !model.available || busy;
  if (busy) setTimeout(() => mine === turn && refresh(), EVERY);
}

function inForce(model) {
  const back = h("button", { class: "button small", type: "button", data: { act: "rollback" }, onclick: rollBack }, "Roll back");
  if (model.problem) {
    find("in-force").replaceChildren(h("p", { class: "notice danger", role: "alert" }, model.problem), back);
    return;
  }
  const last = model.promotions.at(-1);
  find("in-force").replaceChildren(
    h("p", {}, "In force: ", h("b", {}, last ? "a model promoted here" : "the model that came with Visagram"), " ", h("code", {}, model.sha256.slice(0, 12))),
    h("p", { class: "muted small" }, model.trained_on),
    ...(last ? [h("p", { class: "small" }, `Promoted ${when(last.at)}. ${last.reason}`), back] : []),
  );
  find("loop-why").hidden = model.available;
  find("loop-why").textContent = model.why ?? "";
}

async function rollBack() {
  const text = "New analyses use the model before it again. Results that there are stay as they are.";
  if (await confirmDialog({ title: "Roll the last promotion back?", text, confirm: "Roll back" })) {
    await act(() => api.post("/studio/model/rollback"), "The model before is in force again.");
  }
}

function corrected({ items: faces = [], problem }) {
  find("corrections-summary").textContent = problem ?? (faces.length
    ? `${count(faces.length, "face")} that somebody corrected on a result page, with consent. The next pass learns from them.`
    : "None yet. On the page of a result, Correct says what a face shows instead.");
  find("corrections").replaceChildren(
    ...faces.map((face) =>
      h(
        "li",
        {},
        h("img", { src: face.url, alt: `Face that shows ${face.expression}`, width: 96, height: 96, loading: "lazy" }),
        h("p", {}, `${face.expression}, not ${face.instead_of || "measured"}`),
        h(
          "button",
          {
            class: "button small",
            type: "button",
            data: { act: `forget ${face.id}` },
            "aria-label": `Forget the face that shows ${face.expression}, kept ${when(face.at)}`,
            onclick: () => act(() => api.del(`/studio/corrections/${face.id}`), "The face was forgotten."),
          },
          "Forget",
        ),
      ),
    ),
  );
}

function item(pass) {
  const { id, state, completed, total } = pass;
  const button = (label, what, primary) =>
    h("button", { class: `button small${primary ? " primary" : ""}`, type: "button", data: { act: `${what} ${id}` }, onclick: () => act(() => api.post(`/studio/passes/${id}/${what}`), label) }, label);
  const busy = state === "queued" || state === "running";
  const title = h(
    "div",
    { class: "pass-head" },
    h("b", {}, `Pass of ${when(pass.created)}`),
    h("span", { class: "muted" }, `ratio ${pass.ratio}, seed ${pass.seed}`),
    h("span", { class: "muted" }, pass.outcome ? verdict(pass.outcome) : WORDS[state]),
    busy && button("Cancel", "cancel"),
    (state === "failed" || state === "cancelled") && button("Go on", "retry"),
  );
  const now = state === "running" && [
    h("progress", { class: "progress", max: Math.max(total, 1), value: completed, "aria-label": "Progress of the current step" }),
    h("p", { class: "muted small", "aria-live": "polite" }, pass.said || "It begins."),
  ];
  return h(
    "li",
    { class: "panel" },
    title,
    now,
    pass.error && h("p", { class: "why" }, pass.error.detail),
    pass.outcome && found(pass, button),
  );
}

function verdict({ promote, in_force }) {
  if (in_force) return "in force";
  return promote ? "found a better model" : "found no better model";
}

function found(pass, button) {
  const { id, outcome } = pass;
  const own = outcome.videos && effects(outcome.videos);
  const remember = (event) => (event.target.open ? opened.add(id) : opened.delete(id));
  return [
    h("ul", { class: "reasons" }, outcome.reasons.map((text) => h("li", {}, text))),
    outcome.promote && own,
    outcome.promote && !outcome.in_force && button("Promote", "promote", true),
    h(
      "details",
      { open: opened.has(id), ontoggle: remember },
      h("summary", {}, "Before and after"),
      outcome.needs.length
        ? h("ul", { class: "needs small" }, outcome.needs.map((need) => h("li", {}, needs(need))))
        : null,
      !outcome.promote && own,
      outcome.sets.map((set) => comparison(set)),
    ),
  ];
}

/** What the candidate would change on one's own videos. */
function effects(videos) {
  const title = h("h3", {}, "On your own videos");
  if (!videos.length) return [title, h("p", { class: "muted small" }, "When the pass ended, no video had been analysed.")];
  const row = ({ name, faces, changed, changes, unsure, sure, left_out: why }) => {
    const named = changes.map(({ before, after, faces: some }) => `${before} \u2192 ${after}: ${some}`).join(", ");
    return h(
      "tr",
      {},
      h("th", { scope: "row", class: "words" }, name),
      why ? h("td", { colspan: 5, class: "words" }, `left out: ${why}`) : [faces, changed, unsure, sure].map((number) => h("td", {}, `${number}`)),
      !why && h("td", { class: "words" }, named || "none"),
    );
  };
  const columns = ["video", "faces looked at", "changed", "become unsure", "cease to be unsure", "most frequent changes"];
  return h(
    "div",
    { class: "comparison" },
    title,
    h("p", { class: "muted small" }, "How many measured faces would get another apparent expression than the model in force at the time gave, in the newest analysed videos. Results that there are stay as they are."),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Changes on your own videos" },
      h("table", {}, h("thead", {}, h("tr", {}, columns.map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, videos.map(row))),
    ),
  );
}

function needs({ expression, real, recall, low, high, rare, weak, wanted }) {
  const why = [rare && "rare", weak && "weak"].filter(Boolean).join(" and ");
  return `${expression}: ${why}; ${count(real, "real face")}, recall ${percent(recall)} (${percent(low)} to ${percent(high)}); ${wanted.toLocaleString("en")} generated ones wanted`;
}

const points = (share) => `${share > 0 ? "+" : share < 0 ? "\u2212" : ""}${Math.abs(100 * share).toFixed(1)}`;

/** A table with a picture of each change: its interval around nothing. */
function comparison(set) {
  const most = Math.max(0.02, ...set.figures.flatMap(({ change, low, high }) => [change, low, high].map(Math.abs)));
  const place = (share) => `${50 + (50 * share) / most}%`;
  const rows = set.figures.map(({ name, before, after, change, low, high }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", {}, (100 * before).toFixed(1)),
      h("td", {}, (100 * after).toFixed(1)),
      h("td", {}, low === null ? points(change) : `${points(change)} (${points(low)} to ${points(high)})`),
      h(
        "td",
        { class: "change", "aria-hidden": "true" },
        h("span", { class: "zero" }),
        low !== null && h("span", { class: "span", vars: { "--from": place(low), "--to": place(high) } }),
        h("span", { class: "dot", vars: { "--at": place(change) } }),
      ),
    ),
  );
  return h(
    "div",
    { class: "comparison" },
    h("p", {}, h("b", {}, set.name), ` · ${count(set.faces, "real face")} · `, h("a", { href: set.url, download: "" }, "all figures as a page")),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": `Figures on ${set.name}` },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ["figure", "before, %", "after, %", "change in points (95 % interval)"].map((text) => h("th", { scope: "col" }, text)), h("td", { "aria-hidden": "true" }))),
        h("tbody", {}, rows),
      ),
    ),
  );
}

function when(iso) {
  return new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

refresh();
