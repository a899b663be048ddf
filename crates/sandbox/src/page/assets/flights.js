// Messages on their way: from the producer to a partition, and from a partition to a replica. It is decoration: everything that it shows
// is in the text as well, and with reduced motion nothing moves.

import * as groups from "./groups.js";
import { state } from "./state.js";
import * as topic from "./topic.js";

const canvas = document.getElementById("flights");
const stage = document.getElementById("stage");
const producer = document.getElementById("producer");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const FLIGHT_MS = 700;
const DOTS_MAX = 150;
/** Below this many messages a second, the dots say it all. */
const DENSE_FROM = 20;
/** From this many on, dots would be a cloud that says less than the lines, and that keeps the processor busy. */
const CROWDED_FROM = 200;
const RECTS_MS = 500;

let context;
let dots = [];
let rects = new Map();
let measuredAt = 0;
let isRunning = false;
let hasStreams = false;
/** Messages per second, smoothed: sent in all, and received by replica. */
let sentRate = 0;
const receivedRates = new Map();
let lastReceived = new Map();
let ratesAt = 0;

export function build() {
  context = canvas.getContext("2d");
  new ResizeObserver(() => { resize(); rects.clear(); }).observe(stage);
  resize();
}

function resize() {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  canvas.width = Math.round(stage.clientWidth * ratio);
  canvas.height = Math.round(stage.clientHeight * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
}

/** Where an element is on the stage. Asked once per frame at most, and remembered for half a second. */
function rect(key, element) {
  if (!element) return null;
  let known = rects.get(key);
  if (!known) {
    const [outer, inner] = [stage.getBoundingClientRect(), element.getBoundingClientRect()];
    known = {
      left: inner.left - outer.left, right: inner.right - outer.left,
      top: inner.top - outer.top, bottom: inner.bottom - outer.top, middle: (inner.top + inner.bottom) / 2 - outer.top,
    };
    rects.set(key, known);
  }
  return known;
}

/** Called after each drawing of the page: boxes may have moved, and rates may have changed. */
export function measure() {
  const now = performance.now();
  if (now - measuredAt > RECTS_MS) {
    measuredAt = now;
    rects.clear();
  }
  const seconds = (now - ratesAt) / 1000;
  if (seconds < 1) return;
  const received = new Map(state.replicas.map((replica) => [replica.name, replica.received]));
  for (const [name, total] of received) {
    const rate = (total - (lastReceived.get(name) ?? total)) / seconds;
    receivedRates.set(name, ((receivedRates.get(name) ?? 0) + rate) / 2);
  }
  for (const name of receivedRates.keys()) if (!received.has(name)) receivedRates.delete(name);
  lastReceived = received;
  sentRate = state.producer.state === "running" ? state.producer.rate : 0;
  ratesAt = now;
  // The lines stand still: they are drawn again when their strength may have changed.
  if (isDense() || hasStreams) start();
}

function exceeds(limit) {
  return sentRate > limit || [...receivedRates.values()].some((rate) => rate > limit);
}

function isDense() {
  return exceeds(DENSE_FROM);
}

/** Whether there are too many messages to follow single ones. */
export function isCrowded() {
  return exceeds(CROWDED_FROM);
}

/** Lets the messages of a frame fly. */
export function launch(traffic) {
  if (calm.matches || document.hidden || isCrowded()) return;
  const now = performance.now();
  const room = () => dots.length < DOTS_MAX;
  traffic.sent_examples.forEach(([partition], index) => {
    if (room()) dots.push({ kind: "sent", partition, at: now + index * 12 });
  });
  traffic.received_examples.forEach(([replica, partition, , , again], index) => {
    if (room()) dots.push({ kind: again ? "again" : "received", partition, replica, at: now + index * 12 });
  });
  start();
}

function start() {
  if (isRunning || calm.matches) return;
  isRunning = true;
  requestAnimationFrame(step);
}

function ends(dot) {
  const log = rect(`p${dot.partition}`, topic.place(dot.partition));
  if (!log) return null;
  const from = dot.kind === "sent" ? rect("producer", producer) : log;
  const to = dot.kind === "sent" ? log : rect(dot.replica, groups.place(dot.replica));
  if (!from || !to) return null;
  return to.left > from.left + 40 && to.left >= from.right - 60
    ? [from.right, dot.kind === "sent" ? from.top + 60 : from.middle, to.left, to.middle]
    : [(from.left + from.right) / 2, from.middle, (to.left + to.right) / 2, to.middle];
}

function curve([x1, y1, x2, y2], t) {
  // A Bézier curve with horizontal ends.
  const middle = (x1 + x2) / 2;
  const [a, b, c, d] = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3];
  return [a * x1 + (b + c) * middle + d * x2, (a + b) * y1 + (c + d) * y2];
}

function step(now) {
  const style = getComputedStyle(stage);
  context.clearRect(0, 0, canvas.width, canvas.height);
  hasStreams = isDense();
  if (hasStreams) drawStreams(style);
  dots = dots.filter((dot) => now < dot.at + FLIGHT_MS);
  for (const dot of dots) {
    const progress = (now - dot.at) / FLIGHT_MS;
    const line = progress >= 0 && ends(dot);
    if (line) drawDot(dot, curve(line, progress * (2 - progress)), style);
  }
  if (dots.length > 0) requestAnimationFrame(step);
  else isRunning = false;
}

function drawDot(dot, [x, y], style) {
  context.fillStyle = style.getPropertyValue(dot.kind === "sent" ? "--accent" : dot.kind === "again" ? "--bad" : "--good");
  context.beginPath();
  if (dot.kind === "again") {
    // Repeated messages have another shape, too.
    context.moveTo(x, y - 6); context.lineTo(x + 6, y); context.lineTo(x, y + 6); context.lineTo(x - 6, y);
  } else {
    context.arc(x, y, 4, 0, 2 * Math.PI);
  }
  context.fill();
}

/** Lines whose strength says how many messages a second take that way. */
function drawStreams(style) {
  const draw = (line, rate, colour) => {
    const strength = Math.min(1, Math.log10(1 + rate) / 4.3);
    context.globalAlpha = 0.12 + 0.5 * strength;
    context.lineWidth = 0.5 + 3.5 * strength;
    context.strokeStyle = colour;
    const [x1, y1, x2, y2] = line;
    const middle = (x1 + x2) / 2;
    context.beginPath();
    context.moveTo(x1, y1);
    context.bezierCurveTo(middle, y1, middle, y2, x2, y2);
    context.stroke();
  };
  const count = state.topic.ends.length;
  for (let partition = 0; partition < count; partition += 1) {
    const sent = ends({ kind: "sent", partition });
    if (sent && sentRate > DENSE_FROM) draw(sent, sentRate / count, style.getPropertyValue("--accent"));
  }
  for (const replica of state.replicas) {
    const rate = receivedRates.get(replica.name) ?? 0;
    if (rate <= DENSE_FROM / 4) continue;
    for (const partition of replica.owned) {
      const line = ends({ kind: "received", partition, replica: replica.name });
      if (line) draw(line, rate / replica.owned.length, style.getPropertyValue("--good"));
    }
  }
  context.globalAlpha = 1;
}
