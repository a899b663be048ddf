// Takes the pictures of the page: `node pictures.mjs [FOLDER]`. Without a folder it only writes docs/sandbox-page.png; with one it also
// writes a dark one, one of a phone, and one of a high rate there, to be looked at.

import { fileURLToPath } from "node:url";

import { Sandbox, formed, launch, open, press, until } from "./harness.mjs";

const browser = await launch();
const sandbox = await Sandbox.start("--rate", "8");
const tab = await open(browser, sandbox.link, { viewport: { width: 1280, height: 960 } });
await formed(tab);
await until(tab, (state) => state.producer.acknowledged > 60);
await press(tab, "Start another group");
await until(tab, (state) => state.groups[1]?.owners.every((owner) => owner !== null));
await press(tab, "Freeze consumer-2");
await until(tab, (state) => state.groups[0].owners.every((owner) => owner === "consumer-1"));
await until(tab, (state) => state.account.groups.some((group) => group.repeated > 0) && state.events.length > 8);
await tab.evaluate(() => { document.activeElement.blur(); document.getElementById("answer").textContent = ""; });
await tab.screenshot({ path: fileURLToPath(new URL("../../docs/sandbox-page.png", import.meta.url)), fullPage: true });

const folder = process.argv[2];
if (folder) {
  const dark = await open(browser, sandbox.link, { colorScheme: "dark" });
  await dark.screenshot({ path: `${folder}/dark.png`, fullPage: true });
  const phone = await open(browser, sandbox.link, { viewport: { width: 390, height: 844 } });
  await phone.screenshot({ path: `${folder}/phone.png`, fullPage: true });
  await press(tab, "Thaw consumer-2");
  await press(tab, "1,000 messages per second");
  await until(tab, (state) => state.producer.acknowledged > 5000);
  await tab.screenshot({ path: `${folder}/fast.png`, fullPage: true });
  await press(tab, "▶ A kill repeats messages, and loses none");
  await until(tab, (state) => state.story?.step === 2);
  await tab.screenshot({ path: `${folder}/story.png`, fullPage: true });
}
await browser.close();
sandbox.process.kill("SIGINT");
await sandbox.ended;
