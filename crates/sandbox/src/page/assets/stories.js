// The guided stories: each plays with real processes, waits for what really happens, and ends with its proof.

import { fragment } from "./connection.js";
import { assign, make, write } from "./elements.js";
import { state } from "./state.js";

const section = document.getElementById("stories");
let ask;
let parts;
let shown = "";
let shownStory = "";

export function build(asked) {
  ask = asked;
  parts = {
    list: make("div", { class: "row", role: "group", "aria-label": "Stories" }),
    reason: make("p", {
      class: "quiet", hidden: true,
      text: "A story needs a topic and groups without a past. They play on the sandbox's own broker: cargo run -p sandbox",
    }),
    playing: make("div", { class: "card playing", hidden: true }),
    title: make("h3"),
    claim: make("p", { class: "quiet" }),
    steps: make("ol", { class: "steps" }),
    proof: make("p", { class: "proof", role: "status" }),
    free: make("button", { type: "button", text: "Back to the free sandbox", on: { click: () => ask({ command: "restart" }) } }),
  };
  parts.playing.append(parts.title, parts.claim, parts.steps, parts.proof, parts.free);
  section.append(make("h2", { id: "stories-title", text: "Stories" }), parts.list, parts.reason, parts.playing);
}

function drawList() {
  const names = JSON.stringify(state.stories);
  if (names === shown) return;
  shown = names;
  const linked = fragment().get("story");
  parts.list.replaceChildren(...state.stories.map((story) => make("button", {
    type: "button", class: story.name === linked ? "story linked" : "story", title: story.claim, "data-story": story.name,
    text: `▶ ${story.title}`, on: { click: () => ask({ command: "story", name: story.name }) },
  })));
  parts.list.querySelector(".linked")?.focus();
}

export function draw() {
  drawList();
  const { story } = state;
  assign(parts.playing, "hidden", story === null);
  assign(parts.reason, "hidden", state.broker.is_own);
  for (const button of parts.list.children) {
    assign(button, "disabled", !state.broker.is_own);
    button.setAttribute("aria-pressed", String(button.dataset.story === story?.name));
  }
  if (story === null) {
    shownStory = "";
    return;
  }
  const key = `${story.name} ${story.step} ${story.proof} ${story.failure}`;
  if (key === shownStory) return;
  shownStory = key;
  write(parts.title, story.title);
  write(parts.claim, story.claim);
  // The sentences of the steps to come would give away what happens.
  const told = story.steps.slice(0, story.step + 1);
  parts.steps.replaceChildren(...told.map((say, index) => make("li", {
    class: index < story.step ? "done" : "now", "aria-current": index === story.step ? "step" : null, text: say,
  })));
  const result = story.proof ?? story.failure;
  write(parts.proof, result === null ? "" : `${story.proof === null ? "✖ Not proven" : "✔ Proof"}: ${result}`);
  assign(parts.proof, "hidden", result === null);
}
