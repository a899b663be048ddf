// The WebSocket: frames come in, commands go out. The token is in the link's fragment, which a browser never sends by itself.

const RETRIES = 2;
const RETRY_AFTER_MS = 1500;

/** The parameters of the link's fragment: `token`, and `story` if the link is to one. */
export function fragment() {
  return new URLSearchParams(location.hash.slice(1));
}

export class Connection {
  #socket = null;
  #calls = new Map();
  #last = 0;
  #retries = 0;
  #isRefused = false;

  /** `onFrame(frame)`, `onState("open" | "lost" | "ended" | "refused", text)` */
  constructor(onFrame, onState) {
    this.onFrame = onFrame;
    this.onState = onState;
    this.#open();
  }

  #open() {
    const socket = new WebSocket(`ws://${location.host}/events`);
    this.#socket = socket;
    socket.addEventListener("open", () => socket.send(JSON.stringify({ token: fragment().get("token") ?? "" })));
    socket.addEventListener("message", (event) => this.#receive(JSON.parse(event.data)));
    socket.addEventListener("close", () => this.#close());
  }

  #receive(message) {
    if (message.type === "answer") {
      this.#calls.get(message.id)?.(message);
      this.#calls.delete(message.id);
    } else if (message.type === "refused") {
      this.#isRefused = true;
      this.onState("refused", message.text);
    } else {
      if (message.type === "snapshot") {
        this.#retries = 0;
        this.onState("open");
      }
      this.onFrame(message);
    }
  }

  #close() {
    for (const answer of this.#calls.values()) answer({ is_done: false, text: "The connection is lost." });
    this.#calls.clear();
    if (this.#isRefused) return;
    if (this.#retries < RETRIES) {
      this.#retries += 1;
      this.onState("lost");
      setTimeout(() => this.#open(), RETRY_AFTER_MS);
    } else {
      this.onState("ended");
    }
  }

  /** Sends a command, and returns the answer: `{is_done, text}`. */
  call(command) {
    if (this.#socket.readyState !== WebSocket.OPEN) {
      return Promise.resolve({ is_done: false, text: "The sandbox is not connected." });
    }
    const id = (this.#last += 1);
    this.#socket.send(JSON.stringify({ id, ...command }));
    return new Promise((resolve) => this.#calls.set(id, resolve));
  }
}
