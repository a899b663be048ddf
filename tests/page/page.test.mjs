// The page in a real browser. `npm ci && npm test`, in this folder; see the README of the folder above.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { Sandbox, formed, launch, open, press, send, startBroker, until, violations } from "./harness.mjs";

let browser;
let sandbox;

before(async () => { browser = await launch(); });
after(() => browser.close());
afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  sandbox?.process.kill("SIGKILL");
});

/** Ends the sandbox, which must have proven delivery. */
async function proven() {
  assert.equal(await sandbox.finish(), 0, sandbox.text.split("\n").slice(-40).join("\n"));
}

test("each command works from the keyboard, and the page shows what it did", async () => {
  sandbox = await Sandbox.start("--rate", "10");
  const tab = await open(browser, sandbox.link);
  await formed(tab);
  await press(tab, "Add a replica");
  await until(tab, (state) => state.replicas.length === 3 && state.replicas.every((replica) => replica.owned.length >= 3));
  await press(tab, "Freeze consumer-3");
  await tab.getByRole("article", { name: "consumer-3" }).getByText("frozen").waitFor();
  await press(tab, "Thaw consumer-3");
  await until(tab, (state) => state.replicas[2].state === "running");
  await press(tab, "Stop consumer-3");
  await tab.getByRole("article", { name: "consumer-3" }).getByText("stopped").waitFor();
  await press(tab, "Kill consumer-1");
  await tab.getByRole("article", { name: "consumer-1" }).getByText("killed").waitFor();
  await until(tab, (state) => state.groups[0].owners.every((owner) => owner === "consumer-2"));
  await press(tab, "Start another group");
  await until(tab, (state) => state.groups[1]?.owners.every((owner) => owner !== null));
  await tab.getByLabel("Messages per second", { exact: true }).fill("25");
  await press(tab, "Set");
  await until(tab, (state) => state.producer.rate === 25);
  await press(tab, "Ⅱ Pause");
  await until(tab, (state) => state.producer.state === "paused");
  await press(tab, "▶ Resume");
  await until(tab, (state) => state.producer.state === "running");
  await press(tab, "Take the broker away");
  await until(tab, (state) => state.groups.every((group) => group.owners.every((owner) => owner === null)));
  await press(tab, "Bring the broker back");
  await until(tab, (state) => state.groups.every((group) => group.owners.every((owner) => owner !== null)));
  const before = await tab.evaluate(() => globalThis.sandbox.producer.acknowledged);
  await until(tab, (state, before) => state.producer.acknowledged > before + 20, before);
  await press(tab, "Stop everything, and judge");
  await until(tab, (state) => state.account.is_final);
  assert.equal(await tab.evaluate(() => globalThis.sandbox.account.state), "proven", sandbox.text.split("\n").slice(-60).join("\n"));
  await tab.getByText("PROVEN: every acknowledged message was received").first().waitFor();
  assert.deepEqual(tab.complaints, []);
  await proven();
});

test("a replica with another auto.offset.reset in a group with offsets: the page says that it has no effect", async () => {
  sandbox = await Sandbox.start("--rate", "20", "--consumers", "1");
  const tab = await open(browser, sandbox.link);
  await until(tab, (state) => state.groups[0]?.committed.some((offset) => offset !== null));
  await tab.locator("#reset-sandbox").selectOption("latest");
  await press(tab, "Add a replica");
  await tab.getByRole("status").getByText("has no effect").waitFor();
  await proven();
});

test("a reload in the middle shows the same, and other tabs go on", async () => {
  sandbox = await Sandbox.start("--rate", "10");
  const tab = await open(browser, sandbox.link);
  await formed(tab);
  await tab.reload();
  await formed(tab);
  await until(tab, (state) => state.events.length > 0 && state.producer.acknowledged > 30);
  assert.deepEqual(tab.complaints, []);
  await proven();
});

test("ten tabs of one browser work, with a command from each", async () => {
  sandbox = await Sandbox.start("--rate", "10", "--consumers", "1");
  const context = await browser.newContext();
  const tabs = [];
  for (let index = 0; index < 10; index += 1) {
    const tab = await context.newPage();
    await tab.goto(sandbox.link);
    await until(tab, (state) => state?.isReady);
    tabs.push(tab);
  }
  for (const [index, tab] of tabs.entries()) {
    await tab.getByLabel("Messages per second", { exact: true }).fill(String(11 + index));
    await press(tab, "Set");
    await until(tabs[0], (state, rate) => state.producer.rate === rate, 11 + index);
  }
  for (const tab of tabs) await until(tab, (state) => state.producer.rate === 20);
  await context.close();
  await proven();
});

test("a hostile payload stays text", async () => {
  sandbox = await Sandbox.start("--consumers", "1");
  const tab = await open(browser, sandbox.link);
  await formed(tab);
  const hostile = `<img src=x onerror="document.title='taken'"><script>document.title='taken'</script>`;
  await send(await tab.evaluate(() => globalThis.sandbox.broker.address), hostile);
  await tab.getByText(hostile, { exact: false }).waitFor();
  assert.equal(await tab.locator("img, #timeline script").count(), 0);
  assert.equal(await tab.title(), "A consumer group at work");
  assert.deepEqual(tab.complaints, []);
  // Trusted Types would stop a mistake of ours, too.
  const parsed = await tab.evaluate(() => {
    try {
      document.body.innerHTML = "<b>x</b>";
      return "parsed";
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(parsed, "TypeError");
  await proven();
});

test("without the token the page shows nothing, and says why", async () => {
  sandbox = await Sandbox.start("--consumers", "1");
  const tab = await (await browser.newContext()).newPage();
  await tab.goto(sandbox.link.replace(/#.*/, "#token=0"));
  await tab.getByRole("alert").getByText("The token is not that of the printed link").waitFor();
  assert.equal(await tab.evaluate(() => globalThis.sandbox.isReady), false);
  await proven();
});

for (const [name, options] of [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["on a phone", { viewport: { width: 390, height: 844 } }],
]) {
  test(`axe finds nothing wrong, ${name}`, async () => {
    sandbox = await Sandbox.start("--rate", "10");
    const tab = await open(browser, sandbox.link, options);
    await formed(tab);
    await press(tab, "Start another group");
    await press(tab, "Kill consumer-1");
    await press(tab, "Freeze consumer-2");
    await until(tab, (state) => state.replicas[0].state === "killed" && state.replicas[1].state === "frozen");
    assert.deepEqual(await violations(tab), []);
    assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the page is too wide");
    // The control: axe does find something.
    await tab.evaluate(() => document.getElementById("rate").labels[0].remove());
    assert.match((await violations(tab)).join(" "), /label/);
  });
}

test("with reduced motion nothing flies", async () => {
  sandbox = await Sandbox.start("--rate", "10");
  const flying = async (options) => {
    const tab = await open(browser, sandbox.link, options);
    await formed(tab);
    await until(tab, (state) => state.account.groups[0]?.received > 20);
    let seen = false;
    for (let look = 0; look < 40 && !seen; look += 1) {
      seen = await tab.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => {
        const canvas = document.getElementById("flights");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        resolve(data.some((value) => value > 0));
      })));
    }
    return seen;
  };
  assert.equal(await flying({ reducedMotion: "reduce" }), false);
  assert.equal(await flying({ reducedMotion: "no-preference" }), true, "the control");
  await proven();
});

test("a link to a story points at it, and the story plays to its proof", async () => {
  sandbox = await Sandbox.start();
  const tab = await open(browser, `${sandbox.link}&story=kill`);
  await until(tab, () => document.activeElement?.dataset.story === "kill");
  await tab.keyboard.press("Enter");
  await until(tab, (state) => state.story?.step >= 2);
  await until(tab, (state) => state.story?.proof);
  await tab.getByText("✔ Proof").waitFor();
  assert.equal(await tab.evaluate(() => globalThis.sandbox.account.state), "proven");
  assert.deepEqual(tab.complaints, []);
  await press(tab, "Back to the free sandbox");
  await formed(tab);
  await proven();
});

test("with a Kafka of somebody else, what needs a broker of our own is greyed out with the reason", async () => {
  const broker = await startBroker();
  try {
    sandbox = await Sandbox.startWith(broker.variables, "--external");
    const tab = await open(browser, sandbox.link);
    await formed(tab);
    const toggle = tab.getByRole("button", { name: "Take the broker away" });
    assert.equal(await toggle.isDisabled(), true);
    assert.match(await toggle.getAttribute("title"), /belongs to somebody else/);
    const stories = tab.locator("[data-story]");
    assert.equal(await stories.count(), 6);
    for (const story of await stories.all()) assert.equal(await story.isDisabled(), true);
    await tab.getByText("A story needs a topic and groups without a past").waitFor();
    assert.deepEqual(tab.complaints, []);
    await proven();
  } finally {
    broker.stop();
  }
});
