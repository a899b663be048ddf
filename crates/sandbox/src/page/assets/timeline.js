// What happened, newest first.

import { colour, make, short } from "./elements.js";
import { state } from "./state.js";

const card = document.getElementById("timeline");
const SHOWN_MAX = 100;
const SIGNS = {
  start: "+", stop: "■", kill: "✖", freeze: "❄", thaw: "☀", assigned: "→", revoked: "←", lost: "↯",
  broker: "▲", producer: "▶", warning: "⚠", bad: "⚠", story: "§", verdict: "=",
};
const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
let list;
let last = 0;

export function build() {
  list = make("ol", { class: "events", tabindex: "0", "aria-label": "Events, newest first" });
  card.append(make("h2", { id: "timeline-title", text: "Timeline" }), list);
}

function item(event) {
  const service = event.service.startsWith("consumer-")
    ? [make("span", { class: `badge ${colour(event.service)}`, text: short(event.service) }), " "]
    : [];
  return make("li", { class: `event ${event.kind}` },
    make("time", { text: time.format(event.at) }),
    make("span", { class: "sign", "aria-hidden": "true", text: SIGNS[event.kind] ?? "·" }),
    make("span", {}, ...service, event.text));
}

export function draw() {
  const newest = state.events.at(-1)?.number ?? 0;
  if (newest < last) {
    list.replaceChildren();
    last = 0;
  }
  if (newest === last) return;
  const added = state.events.filter((event) => event.number > last).reverse();
  last = newest;
  list.prepend(...added.map(item));
  while (list.children.length > SHOWN_MAX) list.lastElementChild.remove();
}
