// Starts sandboxes and opens their page in a real browser.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../../", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? `${root}target`;
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");

/** Chromium; `CHROMIUM` names another binary. */
export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
}

/** A running sandbox. */
export class Sandbox {
  static start(...options) {
    return Sandbox.startWith({}, ...options);
  }

  /** With environment variables. */
  static async startWith(variables, ...options) {
    const sandbox = new Sandbox();
    sandbox.text = "";
    const env = { ...process.env, ...variables };
    sandbox.process = spawn(`${target}/debug/sandbox`, options, { env, stdio: ["ignore", "pipe", "inherit"] });
    sandbox.ended = new Promise((resolve) => sandbox.process.on("exit", resolve));
    sandbox.link = await new Promise((resolve, reject) => {
      sandbox.process.stdout.on("data", (data) => {
        sandbox.text += data;
        const link = sandbox.text.match(/http:\/\/\S+#token=\w+/);
        if (link) resolve(link[0]);
      });
      sandbox.process.on("exit", () => reject(new Error(`the sandbox ended before it printed a link:\n${sandbox.text}`)));
    });
    return sandbox;
  }

  /** Interrupts it, and returns its exit code. */
  finish() {
    this.process.kill("SIGINT");
    return this.ended;
  }
}

/** A broker alone, and the variables that point to it. */
export async function startBroker() {
  const broker = spawn(`${target}/debug/sandbox`, ["--broker-only"], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  await new Promise((resolve, reject) => {
    broker.stdout.on("data", (data) => {
      text += data;
      if (text.includes("sandbox consumer\n")) resolve();
    });
    broker.on("exit", () => reject(new Error(`the broker ended:\n${text}`)));
  });
  const value = (name) => text.match(new RegExp(`^export ${name}=(.*)$`, "m"))[1];
  const variables = Object.fromEntries(["KAFKA_BOOTSTRAP_SERVERS", "KAFKA_TOPIC"].map((name) => [name, value(name)]));
  return { variables, stop: () => broker.kill("SIGINT") };
}

/** Opens a tab, and collects what the browser complains about in `tab.complaints`. */
export async function open(browser, link, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const tab = await context.newPage();
  tab.complaints = [];
  tab.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) tab.complaints.push(message.text());
  });
  tab.on("pageerror", (error) => tab.complaints.push(error.message));
  await tab.goto(link);
  await until(tab, (state) => state?.isReady);
  return tab;
}

/**
 * Waits until `holds(state, argument)`, which runs in the page. `waitForFunction` would evaluate a text there, which the page's content
 * security policy forbids.
 */
export async function until(tab, holds, argument) {
  const deadline = Date.now() + 90_000;
  const expression = `(${holds})(globalThis.sandbox, ${JSON.stringify(argument)})`;
  while (!(await tab.evaluate(expression))) {
    if (Date.now() > deadline) {
      const state = await tab.evaluate(() => JSON.stringify(globalThis.sandbox, null, 1));
      throw new Error(`timed out waiting for ${holds}: ${state}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits until each partition of the first group has an owner. */
export function formed(tab) {
  return until(tab, (state) => state.groups[0]?.owners.every((owner) => owner !== null));
}

/** Presses a button, with the keyboard. */
export async function press(tab, name, options = {}) {
  const button = tab.getByRole("button", { name, exact: true, ...options }).first();
  await button.focus();
  await tab.keyboard.press("Enter");
}

/** What axe finds wrong with the page. Its script is evaluated by the browser's debugger, which no content security policy forbids. */
export async function violations(tab) {
  await tab.evaluate(axeSource);
  const results = await tab.evaluate(() => globalThis.axe.run(document));
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
}

/** Sends a message to the sandbox's broker, as another program could. */
export async function send(address, text) {
  const sender = spawn("cargo", ["run", "--quiet", "--locked", "-p", "testbed", "--example", "send", "--", address, "demo", text], {
    cwd: root, stdio: "inherit",
  });
  const code = await new Promise((resolve) => sender.on("exit", resolve));
  if (code !== 0) throw new Error(`the message was not sent: exit code ${code}`);
}
