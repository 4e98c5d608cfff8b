// The player's own controls: they say what they do, and every one is reachable by keyboard.
import { h, icon } from "../ui.js";
import { moment } from "./words.js";

const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4];
const LAYERS = { boxes: "Boxes", names: "Names", bars: "Bars" };

/** A button of the player: `label` for a screen reader and as a tooltip. */
function tool(name, label, onclick, text = null) {
  return h(
    "button",
    { class: text ? "tool text" : "tool", type: "button", "aria-label": text ? null : label, title: label, onclick },
    text ?? icon(name),
  );
}

/** A loudspeaker, with waves or crossed out. */
function speaker(silent) {
  const node = icon("");
  const path = document.createElementNS(node.namespaceURI, "path");
  path.setAttribute(
    "d",
    `M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z ${silent ? "M16 9.5l5 5m0-5l-5 5" : "M15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11"}`,
  );
  node.setAttribute("viewBox", "0 0 24 24");
  node.replaceChildren(path);
  return node;
}

export class Controls {
  constructor(store, player, root, { onCopy }) {
    Object.assign(this, { store, player, root });
    this.bar = h("div", { class: "controls", role: "group", "aria-label": "Player" });
    this.play = tool("play", "Play", () => player.toggle());
    this.back = tool("left", "One frame back (left arrow)", () => this.step(-1));
    this.next = tool("right", "One frame on (right arrow)", () => this.step(1));
    this.clock = h("p", { class: store.facts.duration >= 3600 ? "clock long" : "clock" });
    this.full = tool("fullscreen", "Full screen", () => this.fullscreen());
    this.layers = Object.entries(LAYERS).map(([name, label]) => this._layer(name, label));
    const still = store.facts.still;
    this.bar.append(
      ...(still ? [] : [this.play, this.back, this.next, this.clock]),
      h("span", { class: "gap" }),
      ...(still ? [] : [this._speed(), ...(store.facts.has_audio ? [this._sound()] : [])]),
      ...(still ? [] : [h("span", { class: "break" })]),
      ...(store.people.length ? [h("div", { class: "tools", role: "group", "aria-label": "Drawn over the picture" }, this.layers)] : []),
      h("div", { class: "tools last" }, tool("link", "Copy a link to this moment", onCopy), document.fullscreenEnabled ? this.full : null),
    );
    store.on("state", () => this.update());
    store.on("time", () => this._time());
    store.on("layers", () => this.update());
    document.addEventListener("fullscreenchange", () => this.update());
    this.update();
    this._time();
  }

  /** One frame on or back; pauses first. */
  step(direction) {
    this.player.pause();
    this.player.seek(this.store.frameBeside(this.store.time, direction));
  }

  fullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen().catch(() => {});
  }

  mute() {
    this.player.video.muted = !this.player.video.muted;
  }

  update() {
    const { player, store } = this;
    const playing = player.playing;
    this.play.replaceChildren(icon(playing ? "pause" : "play"));
    this.play.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.play.title = player.canPlay ? (playing ? "Pause (space)" : "Play (space)") : "The video is not ready to play yet";
    this.play.setAttribute("aria-disabled", String(!player.canPlay));
    this.layers.forEach((button) => button.setAttribute("aria-pressed", String(store.layers[button.dataset.layer])));
    if (this.sound) {
      const { muted, volume } = player.video;
      this.sound.replaceChildren(speaker(muted || !volume));
      this.sound.setAttribute("aria-pressed", String(!(muted || !volume)));
      this.volume.value = muted ? 0 : volume;
    }
    const full = document.fullscreenElement === this.root;
    this.full.setAttribute("aria-label", full ? "Leave full screen" : "Full screen");
  }

  _time() {
    const { store } = this;
    const { facts } = store;
    const frame = Math.floor((store.time - store.range[0]) * facts.rate + 1e-3);
    const total = moment(facts.duration);
    this.clock.replaceChildren(
      h("b", {}, moment(store.time)),
      ` / ${total}`,
      h("span", { class: "frame" }, `frame ${facts.variable_rate ? "≈ " : ""}${Math.max(0, frame).toLocaleString("en")}`),
    );
  }

  _speed() {
    const select = h(
      "select",
      { class: "speed", "aria-label": "Speed", title: "Speed" },
      SPEEDS.map((speed) => h("option", { value: String(speed), selected: speed === 1 }, `${speed}×`)),
    );
    select.addEventListener("change", () => this.player.setRate(Number(select.value)));
    return select;
  }

  _sound() {
    const { video } = this.player;
    this.sound = tool("", "Sound (M)", () => this.mute());
    this.volume = h("input", { type: "range", min: "0", max: "1", step: "0.05", "aria-label": "Volume", class: "volume" });
    this.volume.addEventListener("input", () => {
      video.volume = Number(this.volume.value);
      video.muted = video.volume === 0;
    });
    return h("div", { class: "tools sound" }, this.sound, this.volume);
  }

  _layer(name, label) {
    const button = tool(
      "",
      `${label} over the picture`,
      () => this.store.set("layers", { ...this.store.layers, [name]: !this.store.layers[name] }),
      label,
    );
    button.dataset.layer = name;
    return button;
  }
}
