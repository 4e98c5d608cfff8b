// What a person changes about people: names, merges, splits, and taking the last one back.
import { api } from "../api.js";
import { h, openDialog, toast, toastProblem } from "../ui.js";
import { correction } from "./correct.js";
import { moment, named } from "./words.js";

export class Edits {
  /** `reload` reads people and statistics anew and shows them. */
  constructor(store, reload) {
    this.store = store;
    this.reload = reload;
  }

  async rename(person, name) {
    const path = `${this.store.path}/people/${person.id}`;
    const wrong = await this._do(() => api.patch(path, { name }), `${named(person.name)} is now ${named(name)}.`);
    if (wrong) toast(wrong, { kind: "error", seconds: 10 });
  }

  merge(people) {
    const names = people.map((person, k) => this._choice("radio", "name", String(person.id), person, k === 0));
    const form = h(
      "form",
      { class: "stack" },
      h("p", {}, `Their time, their lanes and their numbers become one person's. Which name stays?`),
      h("div", { class: "choices" }, names),
    );
    const dialog = this._dialog(`Merge ${people.length} people`, form, "Merge", () => {
      const kept = people.find((person) => String(person.id) === new FormData(form).get("name"));
      const body = { people: people.map((person) => person.id), name: kept.name };
      return this._do(() => api.post(`${this.store.path}/people/merge`, body), `${people.length} people became ${named(kept.name)}.`);
    });
    return dialog;
  }

  split(person) {
    const { time } = this.store;
    const tracks = [...person.tracks].sort((a, b) => a.first - b.first);
    const inside = time > person.first_seen && time < person.last_seen;
    const byTime = h(
      "label",
      { class: "choice" },
      h("input", { type: "radio", name: "how", value: "at", disabled: !inside, checked: inside }),
      h(
        "span",
        {},
        h("b", {}, `From the current moment on (${moment(time)})`),
        h(
          "span",
          { class: "help" },
          inside
            ? "Everything later becomes a new person."
            : `Put the cursor between ${moment(person.first_seen)} and ${moment(person.last_seen)} first.`,
        ),
      ),
    );
    const byTrack = h(
      "label",
      { class: "choice" },
      h("input", { type: "radio", name: "how", value: "tracks", disabled: tracks.length < 2, checked: !inside && tracks.length > 1 }),
      h(
        "span",
        {},
        h("b", {}, "Chosen appearances"),
        h(
          "span",
          { class: "help" },
          tracks.length < 2 ? "There is one uninterrupted appearance only." : "Tick those that belong to somebody else.",
        ),
      ),
    );
    const list = h(
      "ul",
      { class: "tracks" },
      tracks.map((track) => {
        const box = h("input", {
          type: "checkbox",
          name: "track",
          value: String(track.track),
          "aria-label": `Appearance from ${moment(track.first)} to ${moment(track.last)}`,
        });
        box.addEventListener("change", () => {
          byTrack.firstElementChild.checked = true;
        });
        return h(
          "li",
          {},
          h(
            "label",
            { class: "track-choice" },
            box,
            track.thumbnail_url
              ? h("img", { class: "face", src: track.thumbnail_url, alt: "", loading: "lazy" })
              : h("span", { class: "face" }),
            h("span", { class: "small" }, `${moment(track.first)} – ${moment(track.last)}`),
          ),
        );
      }),
    );
    const form = h(
      "form",
      { class: "stack" },
      h("p", {}, "Part of what was taken for one person becomes a new one."),
      h("div", { class: "choices" }, byTime, byTrack),
      tracks.length > 1 ? list : null,
    );
    if (!inside && tracks.length < 2) {
      toast(`Move the cursor into the time of ${named(person.name)} first, then split there.`);
      return null;
    }
    return this._dialog(h("span", {}, "Split ", h("bdi", {}, person.name)), form, "Split", () => {
      const data = new FormData(form);
      const chosen = data.getAll("track").map(Number);
      if (data.get("how") === "tracks" && !chosen.length) return "Tick at least one appearance.";
      if (data.get("how") === "tracks" && chosen.length === tracks.length) return "Leave at least one appearance where it is.";
      const body = { person: person.id, ...(data.get("how") === "tracks" ? { tracks: chosen } : { at: time }) };
      return this._do(() => api.post(`${this.store.path}/people/split`, body), `${named(person.name)} was split in two.`);
    });
  }

  /** Asks what a face shows at the cursor, or where the person is first seen. */
  correct(person) {
    const { time } = this.store;
    const seen = person.tracks.some((track) => time >= track.first && time < track.last);
    const { form, act } = correction(this.store, person, seen || this.store.facts.still ? time : person.first_seen);
    return this._dialog(h("span", {}, "Correct ", h("bdi", {}, person.name)), form, "Keep as an example", act);
  }

  async undo() {
    try {
      await api.post(`${this.store.path}/changes/undo`);
      await this.reload();
      this.offer?.close();
      toast("The last change was taken back.", { kind: "done" });
    } catch (error) {
      toastProblem(error);
    }
  }

  /** Changes something and shows it; resolves to the reason where the server refused. */
  async _do(work, words) {
    const result = document.getElementById("result");
    result.setAttribute("aria-busy", "true");
    try {
      await work();
      await this.reload();
      // Undo takes the last change back, so that only the last message may offer it.
      this.offer?.close();
      this.offer = toast(words, { kind: "done", action: "Undo", onAction: () => this.undo() });
      return null;
    } catch (error) {
      if (error.name !== "Problem") throw error;
      return error.detail;
    } finally {
      result.setAttribute("aria-busy", "false");
    }
  }

  _choice(type, name, value, person, checked) {
    const face = person.thumbnail_url ? h("img", { class: "face small", src: person.thumbnail_url, alt: "" }) : null;
    return h("label", { class: "choice person" }, h("input", { type, name, value, checked }), face, h("bdi", {}, person.name));
  }

  /** A dialog that stays open, with the reason, while `act` returns or resolves to one. */
  _dialog(title, form, confirm, act) {
    const message = h("p", { class: "error", role: "alert", hidden: true });
    form.append(message);
    const submit = async () => {
      yes.disabled = true;
      const wrong = await act();
      yes.disabled = false;
      message.hidden = !wrong;
      message.textContent = wrong ?? "";
      if (!wrong) dialog.close();
    };
    const yes = h("button", { class: "button primary", type: "button", onclick: submit }, confirm);
    const no = h("button", { class: "button", type: "button", onclick: () => dialog.close() }, "Cancel");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    const dialog = openDialog({ title, body: form, actions: [no, yes] });
    return dialog;
  }
}
