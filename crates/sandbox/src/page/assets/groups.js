// The consumer groups beside each other, and their replicas: each is a process of its own.

import { assign, colour, count, keep, make, plural, short, write } from "./elements.js";
import { state, totalLag } from "./state.js";

const section = document.getElementById("groups");
const STATES = {
  starting: "… joins",
  running: "▶ runs",
  frozen: "❄ frozen",
  stopping: "… stops",
  stopped: "■ stopped",
  killed: "✖ killed",
  failed: "⚠ failed",
};
const groups = new Map();
let list;
let ask;
let newGroup;

export function build(asked) {
  ask = asked;
  list = make("div", { class: "group-list" });
  newGroup = resetForm("Start another group", (reset) => ask({ command: "new-group", reset }), "new");
  section.append(make("h2", { id: "groups-title", class: "hidden", text: "Consumer groups" }), list, newGroup.element);
}

/** A button that starts a replica, with a choice of `auto.offset.reset`. */
function resetForm(label, start, key) {
  const select = make("select", { id: `reset-${key}` },
    make("option", { value: "earliest", text: "earliest" }),
    make("option", { value: "latest", text: "latest" }));
  const button = make("button", { type: "submit", text: label });
  const element = make(
    "form",
    { class: "add", on: { submit: (event) => { event.preventDefault(); start(select.value); } } },
    button,
    make("label", { for: `reset-${key}`, text: "auto.offset.reset" }),
    select,
  );
  return { element, button };
}

function createGroup(name) {
  const parts = { lag: make("span", { class: "quiet" }), boxes: make("div", { class: "boxes" }), replicas: new Map() };
  parts.add = resetForm("Add a replica", (reset) => ask({ command: "add", group: name, reset }), name);
  parts.element = make("section", { class: "card group", "aria-label": `Group ${name}` },
    make("div", { class: "head" }, make("h3", { text: `Group ${name}` }), parts.lag),
    parts.boxes, parts.add.element);
  return parts;
}

function createReplica(name) {
  const button = (text, command, title) => make("button", {
    type: "button", text, title, "aria-label": `${text} ${name}`, on: { click: () => ask({ command: command(), replica: name }) },
  });
  const parts = {
    state: make("span", { class: "state" }),
    owned: make("p", { class: "owned" }),
    numbers: make("p", { class: "quiet" }),
    warning: make("p", { class: "warning", text: "⚠ falls behind", hidden: true }),
    stop: button("Stop", () => "stop", "SIGTERM: it commits, and leaves the group"),
    freeze: button("Freeze", () => (isFrozen(name) ? "thaw" : "freeze"), "SIGSTOP: it does nothing, and does not know it"),
    kill: button("Kill", () => "kill", "SIGKILL: it is gone at once, and commits nothing more"),
  };
  parts.kill.classList.add("danger");
  parts.buttons = make("div", { class: "row" }, parts.stop, parts.freeze, parts.kill);
  parts.element = make("article", { class: `replica ${colour(name)}`, "aria-label": name },
    make("div", { class: "head" }, make("h4", {}, make("span", { class: `badge ${colour(name)}`, text: short(name) }), ` ${name}`), parts.state),
    parts.owned, parts.numbers, parts.warning, parts.buttons);
  return parts;
}

function isFrozen(name) {
  return state.replicas.some((replica) => replica.name === name && replica.state === "frozen");
}

function ownedText(replica) {
  const owners = state.groups.find((group) => group.name === replica.group)?.owners ?? [];
  // A frozen replica does not know yet that the group has gone on without it.
  const isTaken = replica.owned.some((partition) => owners[partition] && owners[partition] !== replica.name);
  if (isTaken) return `believes that it owns ${replica.owned.join(" ")}`;
  if (replica.owned.length > 0) return `owns ${replica.owned.join(" ")}`;
  if (replica.state === "starting") return "has no partition yet";
  if (replica.state === "running") return "owns no partition";
  return "";
}

function drawReplica(parts, replica) {
  const isAlive = ["starting", "running", "frozen", "stopping"].includes(replica.state);
  const frozen = replica.state === "frozen";
  write(parts.state, STATES[replica.state] ?? replica.state);
  assign(parts.element.dataset, "state", replica.state);
  write(parts.owned, ownedText(replica));
  const repeated = replica.repeated > 0 ? `, ${count(replica.repeated)} of them again` : "";
  write(parts.numbers, `${plural(replica.received, "message")}${repeated} · process ${replica.pid}`);
  assign(parts.warning, "hidden", !replica.is_behind);
  assign(parts.buttons, "hidden", !isAlive);
  const text = frozen ? "Thaw" : "Freeze";
  if (parts.freeze.textContent !== text) {
    write(parts.freeze, text);
    parts.freeze.title = frozen ? "SIGCONT: it goes on" : "SIGSTOP: it does nothing, and does not know it";
    parts.freeze.setAttribute("aria-label", `${text} ${replica.name}`);
  }
}

export function draw() {
  keep(list, groups, state.groups.map((group) => group.name), createGroup);
  for (const group of state.groups) {
    const parts = groups.get(group.name);
    const members = state.replicas.filter((replica) => replica.group === group.name);
    const live = members.filter((replica) => !["stopped", "killed", "failed"].includes(replica.state)).length;
    write(parts.lag, `${plural(live, "replica")}, lag ${count(totalLag(group))}`);
    keep(parts.boxes, parts.replicas, members.map((replica) => replica.name), createReplica);
    for (const replica of members) drawReplica(parts.replicas.get(replica.name), replica);
    assign(parts.add.button, "disabled", state.account.is_final);
  }
  assign(newGroup.button, "disabled", state.account.is_final);
}

/** The box of a replica. */
export function place(name) {
  for (const group of groups.values()) {
    const replica = group.replicas.get(name);
    if (replica) return replica.element;
  }
  return null;
}
