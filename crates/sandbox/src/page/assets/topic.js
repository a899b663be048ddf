// The topic: each partition as the end of its log, and where each group is in it.

import { assign, colour, count, keep, make, short, write } from "./elements.js";
import { lag, state } from "./state.js";

const card = document.getElementById("topic");
const narrow = matchMedia("(max-width: 720px)");
/** How many messages of each partition are shown: fewer beside more groups. */
let length = 8;
let parts;
const rows = new Map();
let shownGroups = "";

export function build(ask) {
  const toggle = make("button", {
    type: "button", class: "danger",
    on: { click: () => ask({ command: state.broker.is_up ? "broker-down" : "broker-up" }) },
  });
  parts = {
    toggle,
    title: make("h2", { id: "topic-title", text: "Topic" }),
    broker: make("p", { class: "state" }),
    head: make("thead"),
    body: make("tbody"),
  };
  card.append(
    make("div", { class: "head" }, make("div", {}, parts.title, parts.broker), toggle),
    make("p", { class: "quiet", text: "Each partition is a log: new messages are appended, and their offsets count up." }),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Partitions" },
      make("table", { class: "partitions" }, parts.head, parts.body)),
    make("p", { class: "legend" },
      make("span", { class: "cell waiting", "aria-hidden": "true" }), " waits ",
      make("span", { class: "cell received", "aria-hidden": "true" }), " received ",
      make("span", { class: "cell committed", "aria-hidden": "true" }), " committed by ",
      make("span", { class: "first-group" })),
  );
}

function createRow(partition) {
  const cells = Array.from({ length }, () => make("span", { class: "cell" }));
  const log = make("td", { class: "log" }, ...cells);
  const element = make("tr", {}, make("th", { scope: "row", text: partition }), log);
  return { element, cells, log, groups: [], end: -1, key: "" };
}

function drawHead() {
  const names = JSON.stringify(state.groups.map((group) => group.name));
  if (names === shownGroups) return;
  shownGroups = names;
  length = narrow.matches ? 4 : 8;
  if (state.groups.length > 1) length = narrow.matches ? 2 : 4;
  const columns = ["owner", "committed", "lag"];
  parts.head.replaceChildren(
    make("tr", {},
      make("th", { scope: "col", rowspan: 2, text: "Partition" }),
      make("th", { scope: "col", rowspan: 2, text: "Log, newest right" }),
      ...state.groups.map((group) => make("th", { scope: "colgroup", colspan: columns.length, text: group.name }))),
    make("tr", {}, ...state.groups.flatMap(() => columns.map((text) => make("th", { scope: "col", class: "minor", text })))),
  );
  for (const row of rows.values()) row.element.remove();
  rows.clear();
  write(card.querySelector(".first-group"), `group ${state.groups[0]?.name ?? ""}`);
  card.querySelector(".legend").hidden = state.groups.length === 0;
}

function drawLog(row, partition) {
  const end = state.topic.ends[partition];
  const group = state.groups[0];
  const next = group?.next[partition] ?? 0;
  const committed = group?.committed[partition] ?? 0;
  const key = `${end} ${next} ${committed}`;
  if (row.key === key) return;
  row.key = key;
  row.end = end;
  const first = Math.max(0, end - length);
  row.cells.forEach((cell, index) => {
    const offset = first + index;
    const isThere = offset < end;
    const kind = !isThere ? "empty" : offset < committed ? "committed" : offset < next ? "received" : "waiting";
    assign(cell, "className", `cell ${kind}`);
    write(cell, isThere ? offset : "");
  });
}

function drawGroups(row, partition) {
  while (row.groups.length < state.groups.length) {
    const [owner, committed, waiting] = [make("span"), make("td", { class: "number" }), make("td", { class: "number" })];
    row.element.append(make("td", { class: "owner" }, owner), committed, waiting);
    row.groups.push({ owner, committed, waiting });
  }
  state.groups.forEach((group, index) => {
    const { owner, committed, waiting } = row.groups[index];
    const name = group.owners[partition];
    write(owner, name ? short(name) : "none");
    assign(owner, "className", name ? `badge ${colour(name)}` : "badge nobody");
    write(committed, group.committed[partition] == null ? "–" : count(group.committed[partition]));
    write(waiting, count(lag(group, partition)));
  });
}

export function draw() {
  const { topic, broker } = state;
  write(parts.title, `Topic ${topic.name}`);
  write(parts.broker, broker.is_up ? `▲ broker at ${broker.address}` : "▼ the broker is away");
  write(parts.toggle, broker.is_up ? "Take the broker away" : "Bring the broker back");
  assign(card.dataset, "broker", broker.is_up ? "up" : "down");
  assign(parts.toggle, "disabled", state.account.is_final || !broker.is_own);
  assign(parts.toggle, "title", broker.is_own ? "" : "This Kafka belongs to somebody else, so it is not taken away");
  drawHead();
  keep(parts.body, rows, topic.ends.map((_, partition) => partition), createRow);
  for (const [partition, row] of rows) {
    drawLog(row, partition);
    drawGroups(row, partition);
  }
}

/** The element at which messages of a partition arrive, and from which they leave. */
export function place(partition) {
  return rows.get(partition)?.log ?? null;
}
