// The account and the verdict, as the audit sees them now.

import { assign, count, keep, make, write } from "./elements.js";
import { state } from "./state.js";

const card = document.getElementById("account");
const verdict = document.getElementById("verdict");
const SIGNS = { waiting: "…", holding: "✓", proven: "✔", violated: "✖", failed: "✖", insufficient: "?" };
const COLUMNS = ["Group", "Received", "On their way", "Repeated", "Missing"];
const rows = new Map();
let parts;

export function build(ask) {
  parts = {
    total: make("p", {}),
    body: make("tbody"),
    explanation: make("p", { class: "quiet" }),
    finish: make("button", { type: "button", text: "Stop everything, and judge", on: { click: () => ask({ command: "finish" }) } }),
    restart: make("button", { type: "button", text: "Begin anew", on: { click: () => ask({ command: "restart" }) } }),
    phase: make("p", { class: "quiet" }),
  };
  card.append(
    make("h2", { id: "account-title", text: "Account" }),
    parts.total,
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Account by group" },
      make("table", { class: "numbers" },
        make("thead", {}, make("tr", {}, ...COLUMNS.map((text) => make("th", { scope: "col", text })))), parts.body)),
    parts.explanation, parts.phase,
    make("div", { class: "row" }, parts.finish, parts.restart),
  );
}

function createRow(name) {
  const cells = COLUMNS.slice(1).map(() => make("td"));
  return { element: make("tr", {}, make("th", { scope: "row", text: name }), ...cells), cells };
}

function repeatedText(group) {
  if (group.repeated === 0) return "0";
  const unexplained = group.repeated - group.permitted;
  if (unexplained <= 0) return `${count(group.repeated)}, permitted`;
  return `${count(group.repeated)}, ${count(unexplained)} without a cause`;
}

export function draw() {
  const { account } = state;
  assign(verdict.dataset, "state", account.state);
  write(verdict.querySelector(".sign"), SIGNS[account.state] ?? "…");
  write(verdict.querySelector(".words"), account.text);
  const lost = account.not_delivered > 0 ? `, ${count(account.not_delivered)} not delivered` : "";
  write(parts.total, `${count(account.acknowledged)} messages acknowledged${lost}`);
  keep(parts.body, rows, account.groups.map((group) => group.name), createRow);
  for (const group of account.groups) {
    const { cells } = rows.get(group.name);
    write(cells[0], count(group.received));
    write(cells[1], count(group.in_flight));
    write(cells[2], repeatedText(group));
    write(cells[3], count(group.missing));
    assign(cells[3], "className", group.missing > 0 ? "bad" : "");
    assign(cells[2], "className", group.repeated > group.permitted ? "bad" : "");
  }
  const notOwed = account.groups.filter((group) => group.not_owed > 0);
  write(parts.explanation, [
    "Repeats are permitted for what a replica had not committed when it was killed, frozen or cut off.",
    ...notOwed.map((group) => `Group ${group.name} began behind ${count(group.not_owed)} messages, by auto.offset.reset=latest.`),
  ].join(" "));
  const isRunning = state.phase === "running";
  write(parts.phase, isRunning || account.is_final ? "" : `Now: ${state.phase} …`);
  assign(parts.finish, "disabled", !isRunning);
}
