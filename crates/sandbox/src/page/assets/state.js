// What the page knows. A snapshot replaces everything; a delta has the sections that have changed.

const EVENTS_MAX = 200;

export const state = {
  isReady: false,
  topic: { name: "", ends: [], oldest: [] },
  producer: { state: "running", rate: 1, acknowledged: 0, pid: 0 },
  broker: { is_up: true, is_own: true, address: "" },
  groups: [],
  replicas: [],
  account: { state: "waiting", text: "", groups: [], acknowledged: 0, not_delivered: 0, is_final: false },
  story: null,
  stories: [],
  phase: "running",
  events: [],
};

/** Takes up a frame, and returns its traffic if it has some. */
export function apply(frame) {
  if (frame.type === "snapshot") {
    state.isReady = true;
    state.events = [];
  }
  for (const section of ["topic", "producer", "broker", "groups", "replicas", "account", "story", "stories", "phase"]) {
    if (section in frame) state[section] = frame[section];
  }
  const known = state.events.at(-1)?.number ?? 0;
  for (const event of frame.events ?? []) if (event.number > known) state.events.push(event);
  state.events.splice(0, state.events.length - EVENTS_MAX);
  return frame.traffic ?? null;
}

/** How many messages a group has not received, in one partition. */
export function lag(group, partition) {
  return Math.max(0, state.topic.ends[partition] - Math.max(group.next[partition], state.topic.oldest[partition]));
}

/** How many messages a group has not received. */
export function totalLag(group) {
  return state.topic.ends.reduce((sum, _, partition) => sum + lag(group, partition), 0);
}
