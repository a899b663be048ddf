// Puts the page together: frames change the state, and the parts are drawn at most once per frame of the screen.

import * as account from "./account.js";
import { Connection } from "./connection.js";
import { assign, write } from "./elements.js";
import * as flights from "./flights.js";
import * as groups from "./groups.js";
import * as producer from "./producer.js";
import { apply, state } from "./state.js";
import * as stories from "./stories.js";
import * as timeline from "./timeline.js";
import * as topic from "./topic.js";

const parts = [producer, topic, groups, account, timeline, stories];
const notice = document.getElementById("notice");
const answer = document.getElementById("answer");
const ANSWER_MS = 6000;
let isDrawing = false;
let hideAnswer = 0;

/** Asks for something, and shows the answer. */
async function ask(command) {
  const { is_done, text } = await connection.call(command);
  write(answer, `${is_done ? "" : "⚠ "}${text}`);
  answer.dataset.done = is_done;
  clearTimeout(hideAnswer);
  hideAnswer = setTimeout(() => write(answer, ""), ANSWER_MS);
}

function draw() {
  isDrawing = false;
  for (const part of parts) part.draw();
  flights.measure();
  assign(document.body.dataset, "crowded", String(flights.isCrowded()));
}

function onFrame(frame) {
  const traffic = apply(frame);
  if (traffic) flights.launch(traffic);
  if (!isDrawing) {
    isDrawing = true;
    // A tab in the background draws nothing, and shows the present when it is looked at again.
    requestAnimationFrame(draw);
  }
}

const TEXTS = {
  open: "",
  lost: "The connection is lost. Trying again …",
  ended: "The sandbox has ended. What you see is its last state.",
};

function onState(name, text) {
  const words = name === "refused" ? `${text} Open the link that the sandbox printed in its terminal.` : TEXTS[name];
  assign(notice, "hidden", words === "");
  write(notice, words);
  document.body.dataset.connection = name;
}

for (const part of parts) part.build(ask);
flights.build();
const connection = new Connection(onFrame, onState);
// For tests and for the curious: what the page knows.
globalThis.sandbox = state;
