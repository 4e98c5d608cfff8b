// The studio: asks for faces, shows them as they come, and notes what a person says of them.
import { api } from "./api.js";
import { announce, count, h, percent, toastProblem } from "./ui.js";

const EVERY = 1500;
const PAGE = 96;
const WORDS = { queued: "waiting", running: "being made", done: "done", failed: "failed", cancelled: "cancelled" };
const find = (id) => document.getElementById(id);
let expression = "";
let shown = PAGE;
let turn = 0;

find("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const wanted = {
    expression: form.get("expression"),
    generator: form.get("generator"),
    count: Number(form.get("count")),
    seed: Number(form.get("seed")),
  };
  try {
    await api.post("/studio/makings", wanted);
    choose(wanted.expression);
    announce(`Asked for ${count(wanted.count, "face")}.`);
  } catch (error) {
    toastProblem(error);
  }
});

find("more").addEventListener("click", () => {
  shown += PAGE;
  refresh();
});

function choose(name) {
  expression = name;
  shown = PAGE;
  refresh();
}

/** Everything anew, and again soon while something is being made. */
async function refresh() {
  const mine = (turn += 1);
  try {
    const query = { expression, limit: Math.min(shown, 500) };
    const [studio, makings, faces] = await Promise.all([
      api.get("/studio"),
      api.get("/studio/makings"),
      api.get("/studio/faces", query),
    ]);
    if (mine !== turn) return;
    show(studio, makings.items, faces);
    const busy = makings.items.some(({ state }) => state === "queued" || state === "running");
    if (busy) setTimeout(() => mine === turn && refresh(), EVERY);
  } catch (error) {
    if (error.name !== "Problem") throw error;
    if (mine === turn) find("problem").replaceChildren(h("div", { class: "notice danger", role: "alert" }, error.detail));
  }
}

function show(studio, makings, faces) {
  const names = [...find("generator").options].map(({ value }) => value);
  if (String(names) !== String(studio.generators)) {
    find("generator").replaceChildren(...studio.generators.map((name) => h("option", { value: name }, name)));
  }
  find("makings").replaceChildren(...makings.slice(0, 5).map(request));
  chips(studio.expressions);
  const made = studio.expressions.reduce((sum, each) => sum + each.faces, 0);
  const accepted = studio.expressions.reduce((sum, each) => sum + each.accepted, 0);
  find("summary").textContent = made ? `${count(made, "face")}, ${accepted.toLocaleString("en")} accepted for training.` : "Nothing was generated yet.";
  draw(faces.items);
  find("more").hidden = faces.total <= faces.items.length || shown >= 500;
}

function request(making) {
  const { id, state, completed, total } = making;
  const act = (label, what) =>
    h("button", { class: "button small", type: "button", onclick: () => api.post(`/studio/makings/${id}/${what}`).then(refresh, toastProblem) }, label);
  const busy = state === "queued" || state === "running";
  return h(
    "li",
    {},
    h("span", {}, `${count(making.count, "face")}, ${making.expression}, seed ${making.seed}`),
    state === "running" && h("progress", { class: "progress", max: Math.max(total, 1), value: completed, "aria-label": `Faces of ${making.expression} made` }),
    h("span", { class: "muted" }, state === "running" && total ? `${completed} of ${total}` : WORDS[state]),
    busy && act("Cancel", "cancel"),
    (state === "failed" || state === "cancelled") && act("Try again", "retry"),
    making.error && h("span", { class: "why" }, making.error.detail),
  );
}

function chips(expressions) {
  const every = { expression: "", faces: expressions.reduce((sum, each) => sum + each.faces, 0) };
  find("chips").replaceChildren(
    ...[every, ...expressions.filter((each) => each.faces)].map(({ expression: name, faces }) =>
      h(
        "button",
        { class: "button small", type: "button", "aria-pressed": String(name === expression), onclick: () => choose(name) },
        `${name || "all"} ${faces.toLocaleString("en")}`,
      ),
    ),
  );
}

function draw(faces) {
  const names = [...new Set(faces.map((face) => face.expression))];
  find("faces").replaceChildren(
    ...names.flatMap((name) =>
      [true, false].flatMap((accepted) => {
        const some = faces.filter((face) => face.expression === name && face.accepted === accepted);
        const waiting = some.every((face) => !face.decision && !face.review);
        const title = accepted ? "accepted" : waiting ? "not judged yet" : "rejected";
        return some.length ? [h("h3", {}, `${name}: ${some.length} ${title}`), h("ul", { class: "face-grid" }, some.map(card))] : [];
      }),
    ),
  );
}

function card(face) {
  const say = (review) => api.patch(`/studio/faces/${face.file}`, { review }).then(refresh, toastProblem);
  const why = face.review ? `You ${face.review} it.` : face.reason || (face.decision ? "" : "waits for the judge");
  const sure = face.agreement === null ? "" : `looks ${face.expression}: ${percent(face.agreement)}`;
  const button = face.review
    ? h("button", { class: "button small", type: "button", onclick: () => say("undo") }, "Undo")
    : h("button", { class: "button small", type: "button", onclick: () => say(face.accepted ? "reject" : "accept") }, face.accepted ? "Reject" : "Accept");
  button.setAttribute("aria-label", `${button.textContent} face ${face.number + 1} of seed ${face.seed}, ${face.expression}`);
  return h(
    "li",
    { class: face.accepted ? "accepted" : "rejected" },
    h("img", { src: face.url, alt: `Generated face meant to look ${face.expression}`, width: 96, height: 96, loading: "lazy" }),
    h("p", {}, [sure, why].filter(Boolean).join("; ")),
    button,
  );
}

refresh();
