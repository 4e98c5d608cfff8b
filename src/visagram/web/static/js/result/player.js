// The picture at a moment: a <video> where the browser can play one, else single frames from the server.
import { api } from "../api.js";
import { h } from "../ui.js";

const STILL_WIDTH = 640;
// Milliseconds that the first callback gets.
const FIRST_CALLBACK = 300;

/**
 * Keeps `store.time` (where the cursor is) and its own `frameTime` (the presentation time of the picture on show).
 * Sends "time" on the store for the first and "frame" for the second, "state" when it plays, stops or changes mode.
 */
export class Player {
  constructor(store, stage) {
    this.store = store;
    this.stage = stage;
    this.mode = "stills";
    this.frameTime = null;
    this.pending = null;
    this.presented = 0;
    this.rate = 1;
    this.still = h("img", { class: "picture", alt: "" });
    this.video = h("video", { class: "picture", preload: "auto", playsinline: true, hidden: true, tabindex: "-1" });
    this.video.disablePictureInPicture = true;
    this.wantedStill = null;
    this.loadingStill = false;
    stage.prepend(this.still, this.video);
    this._listen();
  }

  get playing() {
    return this.mode === "video" && !this.video.paused && !this.video.ended;
  }

  get canPlay() {
    return this.mode === "video";
  }

  /** Width and height of the picture as it is decoded; the facts' where there is none yet. */
  get size() {
    const { videoWidth: width, videoHeight: height } = this.video;
    return this.mode === "video" && width ? { width, height } : this.store.facts;
  }

  /** Shows the frame at the cursor from the server, until `useVideo`. */
  useStills() {
    this.mode = "stills";
    this._still(this.store.time);
    this.store.emit("state");
  }

  /** Plays `url` from the cursor on. Until the first frame has come, the still stays. */
  useVideo(url) {
    const { video } = this;
    video.src = url;
    video.addEventListener(
      "loadeddata",
      () => {
        this.mode = "video";
        video.hidden = false;
        this._watch();
        this.store.emit("state");
      },
      { once: true },
    );
    video.addEventListener(
      "loadedmetadata",
      () => {
        video.currentTime = this.store.time;
      },
      { once: true },
    );
  }

  toggle() {
    if (!this.canPlay) return;
    if (this.playing) this.video.pause();
    else this.play();
  }

  play() {
    if (!this.canPlay) return;
    if (this.store.time >= this.store.range[1] - 0.02) this.seek(this.store.range[0]);
    this.video.playbackRate = this.rate;
    this.video.play().catch((error) => {
      if (error.name !== "AbortError") this.store.emit("state");
    });
  }

  pause() {
    this.video.pause();
  }

  setRate(rate) {
    this.rate = rate;
    this.video.playbackRate = rate;
    this.store.emit("state");
  }

  /** Moves the cursor at once, and the picture as soon as it can. */
  seek(time) {
    const [start, end] = this.store.range;
    // The very end of a video has no picture: stay on its last one.
    const target = Math.max(start, Math.min(Math.max(start, end - this.store.frameLength / 2), time));
    this.store.set("time", target);
    if (this.mode !== "video") {
      this._still(target);
    } else if (this.video.seeking) {
      this.pending = target;
    } else {
      this.video.currentTime = target;
    }
  }

  _listen() {
    const { video } = this;
    for (const name of ["play", "pause", "ended", "volumechange", "ratechange"]) {
      video.addEventListener(name, () => this.store.emit("state"));
    }
    video.addEventListener("seeked", () => {
      const target = this.pending;
      this.pending = null;
      if (target !== null) video.currentTime = target;
      else this._settle();
    });
    video.addEventListener("error", () => this.store.emit("unplayable"));
    this.still.addEventListener("load", () => this._stillShown());
    this.still.addEventListener("error", () => {
      this.loadingStill = false;
    });
  }

  _watch() {
    if (!("requestVideoFrameCallback" in HTMLVideoElement.prototype)) return this._poll();
    const shown = (_, { mediaTime }) => {
      this.presented += 1;
      this._shown(mediaTime);
      this.video.requestVideoFrameCallback(shown);
    };
    this.video.requestVideoFrameCallback(shown);
    // The first frame is there already, and a callback comes with the next: ask for this one again.
    this.video.currentTime = this.store.time;
  }

  /** The first picture may have been there before anybody asked for callbacks, and then none comes for it. */
  _settle() {
    if (this.presented) return;
    setTimeout(() => {
      if (!this.presented && !this.video.seeking) this._shown(this.video.currentTime);
    }, FIRST_CALLBACK);
  }

  _poll() {
    let last = null;
    const look = () => {
      const { currentTime, seeking } = this.video;
      if (!seeking && currentTime !== last) this._shown((last = currentTime));
      requestAnimationFrame(look);
    };
    look();
  }

  _shown(time) {
    this.frameTime = time;
    this.still.hidden = true;
    this.store.emit("frame", time);
    if (this.playing && this.pending === null) this.store.set("time", time);
  }

  _still(time) {
    this.wantedStill = time;
    if (this.loadingStill) return;
    this.loadingStill = true;
    const { facts, path } = this.store;
    this.still.src = facts.still
      ? this.store.video.content_url
      : api.url(`${path}/frame`, { time: time.toFixed(3), width: Math.min(STILL_WIDTH, facts.width) });
    this.stillTime = time;
  }

  _stillShown() {
    this.loadingStill = false;
    if (this.mode !== "stills") return;
    this.frameTime = this.stillTime;
    this.store.emit("frame", this.frameTime);
    if (this.wantedStill !== this.stillTime) this._still(this.wantedStill);
  }
}
