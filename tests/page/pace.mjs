// How fast the page is: `npm run pace`, in this folder, after `cargo build -p sandbox`, on an idle machine. A measurement, not a test.
//
// Latencies are from the time in a service's log line to the first frame of the browser in which the page's state has it. Frames and long
// tasks are those of the page's own thread during ten seconds.

import { Sandbox, formed, launch, open } from "./harness.mjs";

const SECONDS = 10;
const LATENCY_RATES = [1, 100, 1000];
const FRAME_RATES = [1000, 20000];

const browser = await launch();

/** Records, in the page, when the end of each partition, the group's next offset and its committed offset change. */
async function record(tab, seconds) {
  return tab.evaluate((milliseconds) => new Promise((resolve) => {
    const changes = [];
    const frames = [];
    const tasks = [];
    const known = { ends: [], next: [], committed: [] };
    const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map((entry) => entry.duration)));
    observer.observe({ entryTypes: ["longtask"] });
    const start = performance.now();
    const look = (now) => {
      const at = Date.now();
      const { topic, groups } = globalThis.sandbox;
      const sources = { ends: topic.ends, next: groups[0].next, committed: groups[0].committed };
      for (const [kind, offsets] of Object.entries(sources)) {
        offsets.forEach((offset, partition) => {
          if (known[kind][partition] !== offset) changes.push([kind, partition, offset, at]);
          known[kind][partition] = offset;
        });
      }
      frames.push(now);
      if (now - start < milliseconds) requestAnimationFrame(look);
      else resolve({ changes, frames, tasks });
    };
    requestAnimationFrame(look);
  }), seconds * 1000);
}

/** The lines of the terminal: kind, partition, offset and time of day in milliseconds. */
function lines(text, message) {
  const pattern = new RegExp(`(\\d\\d):(\\d\\d):(\\d\\d)\\.(\\d\\d\\d) +INFO ${message} .*partition=(\\d+) offset=(\\d+)`, "g");
  return [...text.matchAll(pattern)].map(([, hours, minutes, seconds, millis, partition, offset]) => ({
    at: ((+hours * 60 + +minutes) * 60 + +seconds) * 1000 + +millis, partition: +partition, offset: +offset,
  }));
}

function delays(changes, kind, events) {
  const ofKind = changes.filter(([changed]) => changed === kind);
  const first = Math.min(...changes.map(([, , , at]) => at)) % 86_400_000;
  const last = Math.max(...changes.map(([, , , at]) => at)) % 86_400_000;
  return events
    // Those that the page cannot have shown before it was watched, and that it had time to show.
    .filter(({ at }) => at > first + 100 && at < last - 3000)
    .map(({ at, partition, offset }) => {
      const shown = ofKind.find(([, changed, value]) => changed === partition && value > offset);
      return shown === undefined ? Infinity : (shown[3] % 86_400_000) - at;
    })
    .sort((left, right) => left - right);
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
const show = (sorted) => `${sorted.length} | ${percentile(sorted, 0.5)} | ${percentile(sorted, 0.99)} | ${sorted.at(-1)}`;

async function withSandbox(rate, use) {
  const sandbox = await Sandbox.start("--rate", String(rate));
  const tab = await open(browser, sandbox.link);
  await formed(tab);
  await tab.waitForTimeout(3000);
  await use(tab, sandbox);
  await tab.context().close();
  await sandbox.finish();
}

console.log("| messages/s | what appears | count | p50, ms | p99, ms | max, ms |\n|---|---|---|---|---|---|");
for (const rate of LATENCY_RATES) {
  await withSandbox(rate, async (tab, sandbox) => {
    const { changes } = await record(tab, rate < 10 ? 60 : SECONDS);
    const received = lines(sandbox.text, "message received");
    console.log(`| ${rate} | an acknowledged message | ${show(delays(changes, "ends", lines(sandbox.text, "message delivered")))} |`);
    console.log(`| ${rate} | its receipt | ${show(delays(changes, "next", received))} |`);
    console.log(`| ${rate} | its committed position | ${show(delays(changes, "committed", received))} |`);
  });
}
console.log("\n| messages/s | frames/s | longest frame, ms | tasks over 50 ms | longest task, ms |\n|---|---|---|---|---|");
for (const rate of FRAME_RATES) {
  await withSandbox(rate, async (tab) => {
    const { frames, tasks } = await record(tab, SECONDS);
    const gaps = frames.slice(1).map((at, index) => at - frames[index]);
    const fps = (frames.length - 1) / ((frames.at(-1) - frames[0]) / 1000);
    console.log(`| ${rate} | ${fps.toFixed(0)} | ${Math.max(...gaps).toFixed(0)} | ${tasks.length} | ${Math.max(0, ...tasks).toFixed(0)} |`);
  });
}
await browser.close();
