// The way to the daemon: JSON with the page's session as Bearer, and the feed. Nothing else is ever asked.
const KEY = "exai-session";
export const stored = () => { try { return localStorage.getItem(KEY) || ""; } catch { return ""; } };
const store = (value) => { try { value ? localStorage.setItem(KEY, value) : localStorage.removeItem(KEY); } catch { /* private mode */ } };

export class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

export async function ask(path, body) {
  const headers = stored() ? { authorization: `Bearer ${stored()}` } : {};
  const options = body === undefined ? { headers } : { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try { answer = await fetch(path, options); } catch { throw new Refused(0, "the daemon does not answer"); }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, told.error?.message || `status ${answer.status}`);
  return told;
}

export async function login(shown) {
  const told = await ask("/api/login", shown);
  store(told.session);
}

export async function logout() {
  await ask("/api/logout", {}).catch(() => {});
  store("");
}

export async function download(path, name) {
  const answer = await fetch(path, { headers: stored() ? { authorization: `Bearer ${stored()}` } : {} });
  if (!answer.ok) throw new Refused(answer.status, "it cannot be downloaded");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// Calls `heard` with each overview, `event` with what happens if `topics()` has "event", and `state` with "live", "away" or "full"; comes back by itself.
export function follow(heard, event, state, topics) {
  let socket, wait = 500, paused = false, timer;
  const connect = () => {
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    const subscribe = () => socket.send(JSON.stringify({ command: "subscribe", topics: topics() }));
    socket.onopen = () => {
      if (stored()) socket.send(JSON.stringify({ command: "auth", token: stored() }));
      subscribe();
      if (paused) socket.send(JSON.stringify({ command: "pause", paused }));
    };
    socket.onmessage = (message) => {
      const frame = JSON.parse(message.data);
      if (frame.type === "overview") { wait = 500; state("live"); heard(frame.data); }
      else if (frame.type === "subscribed") { wait = 500; state("live"); }
      else if (frame.type === "event") event(frame.data);
      else if (frame.type === "initial_stats") subscribe();
    };
    socket.onclose = () => { state("away"); timer = setTimeout(connect, wait); wait = Math.min(wait * 2, 5000); };
  };
  connect();
  return {
    pause(value) { paused = value; if (socket.readyState === 1) socket.send(JSON.stringify({ command: "pause", paused: value })); },
    // One that is being connected says by itself, once it is open, who asks and for what.
    restart() { if (socket.readyState === 0) return; clearTimeout(timer); socket.onclose = null; socket.close(); connect(); },
  };
}
