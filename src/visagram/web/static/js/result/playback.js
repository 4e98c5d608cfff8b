// From "this browser cannot play the original yet" to the video: follows the proxy while it is made.
import { api } from "../api.js";
import { announce, h, percent } from "../ui.js";

const EVERY = 2000;

/** Gives the player its video when there is one, and says what is going on until then. `note` is the stage's message. */
export class Playback {
  constructor(store, player, note) {
    Object.assign(this, { store, player, note });
    store.on("unplayable", () => this._unplayable());
    addEventListener("online", () => {
      if (player.mode === "stills") this._again();
    });
  }

  /** Acts on `store.video.playback`; asks again while it is being made. */
  follow() {
    if (this.store.facts.still) {
      this.player.useStills();
      return;
    }
    const { state, url, progress, reason } = this.store.video.playback;
    if ((state === "direct" || state === "ready") && url) {
      if (this.waited) announce("The video is ready to play.");
      this._say(null);
      this.player.useStills();
      this.player.useVideo(url);
    } else if (state === "failed") {
      this.player.useStills();
      this._say(
        "This video cannot be played here",
        reason ?? "No playable copy could be made.",
        "The frames on show come from the original, which you find under Files. The chart works all the same.",
      );
    } else {
      if (!this.waited) this.player.useStills();
      this.waited = true;
      this._say(
        "Preparing the video for this browser",
        "Until it plays, explore it frame by frame.",
        null,
        state === "making" ? progress : null,
      );
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this._again(), EVERY);
    }
  }

  async _again() {
    try {
      this.store.video = await api.get(`/videos/${encodeURIComponent(this.store.videoId)}`);
    } catch (error) {
      if (error.name !== "Problem") throw error;
    }
    this.follow();
  }

  _unplayable() {
    if (!this.player.video.getAttribute("src")) return;
    this.player.video.hidden = true;
    this.player.still.hidden = false;
    this.player.useStills();
    this._say(
      "The video stopped playing",
      "Its file did not load, or this browser cannot play it.",
      "The frames on show come from the server.",
      null,
      () => this._again(),
    );
  }

  _say(title, text, more = null, progress = undefined, retry = null) {
    const { note } = this;
    note.hidden = !title;
    if (!title) return;
    if (this.title !== title) announce(`${title}. ${text}`);
    this.title = title;
    const bar = progress === undefined ? null : h("progress", { max: 1, "aria-label": "Preparing the video" });
    if (bar && progress !== null) bar.value = progress;
    note.replaceChildren(
      h("p", {}, h("strong", {}, title), progress ? ` ${percent(progress)}` : ""),
      h("p", {}, text, more ? ` ${more}` : ""),
      ...(bar ? [bar] : []),
      ...(retry ? [h("button", { class: "button", type: "button", onclick: retry }, "Try again")] : []),
    );
  }
}
