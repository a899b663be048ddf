// The producer: its state, its rate, pause and resume.

import { assign, count, make, write } from "./elements.js";
import { state } from "./state.js";

const card = document.getElementById("producer");
const RATES = [1, 10, 100, 1000];
const WORDS = {
  running: "▶ sends",
  paused: "Ⅱ pauses",
  stopping: "… stops",
  ended: "■ has ended",
};
let parts;

export function build(ask) {
  const rate = make("input", {
    id: "rate", type: "number", min: "0.1", max: "20000", step: "any", value: "1", inputmode: "decimal",
  });
  const form = make(
    "form",
    { class: "rate", on: { submit: (event) => { event.preventDefault(); ask({ command: "rate", per_sec: Number(rate.value) }); } } },
    make("label", { for: "rate", text: "Messages per second" }),
    make("span", { class: "row" }, rate, make("button", { type: "submit", text: "Set" })),
  );
  const presets = make("div", { class: "row presets", role: "group", "aria-label": "Usual rates" });
  for (const per_sec of RATES) {
    presets.append(make("button", {
      type: "button", text: count(per_sec), "aria-label": `${count(per_sec)} messages per second`,
      on: { click: () => ask({ command: "rate", per_sec }) },
    }));
  }
  const toggle = make("button", {
    type: "button", class: "wide", text: "Pause",
    on: { click: () => ask({ command: state.producer.state === "paused" ? "resume" : "pause" }) },
  });
  parts = {
    words: make("p", { class: "state" }), rate, toggle, presets,
    total: make("strong", { text: "0" }), speed: make("span"), latency: make("span"),
  };
  card.append(
    make("h2", { id: "producer-title", text: "Producer" }),
    parts.words,
    make("p", {}, parts.total, " acknowledged"),
    make("p", { class: "quiet" }, parts.speed),
    make("p", { class: "quiet" }, parts.latency),
    form, presets, toggle,
  );
}

let shownRate = null;

export function draw() {
  const { producer } = state;
  const isAlive = producer.state === "running" || producer.state === "paused";
  write(parts.words, WORDS[producer.state] ?? producer.state);
  assign(card.dataset, "state", producer.state);
  write(parts.total, count(producer.acknowledged));
  write(parts.speed, `${count(producer.rate)} messages/s wanted`);
  write(parts.latency, producer.last_latency_ms == null ? "" : `last acknowledged in ${producer.last_latency_ms.toFixed(1)} ms`);
  write(parts.toggle, producer.state === "paused" ? "▶ Resume" : "Ⅱ Pause");
  for (const button of card.querySelectorAll("button, input")) assign(button, "disabled", !isAlive);
  for (const [index, button] of [...parts.presets.children].entries()) {
    button.setAttribute("aria-pressed", String(RATES[index] === producer.rate));
  }
  if (shownRate !== producer.rate && document.activeElement !== parts.rate) {
    shownRate = producer.rate;
    parts.rate.value = String(producer.rate);
  }
}
