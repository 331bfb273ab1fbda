// One session seen from a page: attach, show, type, and come back whenever the line or the daemon was away.
// It alone reconnects. What is shown is acknowledged, and what was typed is sent until it is taken.

const OFFSET = 8; // bytes before the output
const ACK_MS = 50, ACK_BYTES = 32768;
const RESEND_MS = 200, CONNECT_MS = 10000, LASTING_MS = 1000;
const MOST_TYPED = 65536, PIECE = 16384; // bytes
const bytes = new TextEncoder();

// A first frame that is answered by one text; the answer, or an Error with the code of the table.
export function ask(url, credential, type, data = {}) {
  return new Promise((done, failed) => {
    const socket = new WebSocket(url);
    const lost = () => failed(Object.assign(new Error("the daemon does not answer"), { code: "CONNECTION_ERROR" }));
    socket.onopen = () => socket.send(JSON.stringify({ type, ...credential, data }));
    socket.onerror = socket.onclose = lost;
    socket.onmessage = event => {
      const said = JSON.parse(event.data);
      if (said.op === "error") failed(Object.assign(new Error(said.message), { code: said.code }));
      else done(said);
      socket.close();
    };
  });
}

export class TerminalLink {
  // `door` says whether anybody listens.
  // `view` shows: write(bytes, shown), lost(count, shown), resized(cols, rows), state(text), exited(exit), ended(text), denied().
  constructor({ url, credential, door, sessionId, rules, view, size }) {
    Object.assign(this, { url, credential, door, sessionId, rules, view, size });
    this.clientId = hex(crypto.getRandomValues(new Uint8Array(8)));
    this.shown = null;
    this.arrived = null;
    this.failures = 0;
    this.over = false;
    this.exit = null;
    this.forgetKeys();
    this.connect();
  }

  // ------------------------------------------------------------ what the user does

  type(text) {
    const size = bytes.encode(text).length;
    if (this.over || this.waiting + size > MOST_TYPED) return false;
    for (const piece of pieces(text)) {
      this.pieces.push([++this.last, piece]);
      this.waiting += bytes.encode(piece).length;
    }
    this.flush();
    return true;
  }

  resize(cols, rows) {
    this.size = { cols, rows };
    if (this.attached) this.say("resize", { cols, rows });
  }

  again() {
    this.over = false;
    this.connect();
  }

  close() {
    this.over = true;
    clearTimeout(this.retry);
    this.socket?.close();
  }

  // ------------------------------------------------------------ the loop

  connect() {
    this.attached = this.ofUse = false;
    this.since = Infinity;
    const socket = this.socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    const patience = setTimeout(() => socket.close(), CONNECT_MS);
    socket.onopen = () => socket.send(JSON.stringify({
      type: "hello", ...this.credential(), session_id: this.sessionId, client_id: this.clientId,
      ...(this.arrived === null ? {} : { offset: this.arrived }), ...this.size, mode: "rw",
    }));
    socket.onmessage = event => {
      if (socket !== this.socket) return;
      clearTimeout(patience);
      if (typeof event.data === "string") this.hear(JSON.parse(event.data));
      else this.take(new Uint8Array(event.data));
    };
    socket.onclose = () => {
      clearTimeout(patience);
      if (socket === this.socket) this.lost();
    };
  }

  lost() {
    if (this.over) return;
    this.attached = false;
    const lasted = performance.now() - this.since >= LASTING_MS;
    this.failures = this.ofUse || lasted ? 0 : this.failures + 1;
    const wait = this.waitS();
    const rests = this.failures >= this.rules.in_a_row ? "; it rests between attempts" : "";
    const kept = this.waiting ? `; ${this.waiting} typed bytes wait` : "";
    this.view.state(`the daemon is away: next attempt in ${wait.toFixed(1)} s${rests}${kept}`);
    this.retry = setTimeout(() => this.connect(), wait * 1000);
    this.watch(this.socket, performance.now());
  }

  // Where nobody listens, a look burdens nobody, and a daemon that is back is found at once.
  async watch(socket, began) {
    for (let wasShut = false; socket === this.socket && !this.over; wasShut = true) {
      if (await this.door()) {
        if (!wasShut || socket !== this.socket || this.over) return;
        clearTimeout(this.retry);
        return this.connect();
      }
      const [shortest, longest] = this.rules.look_s, away = (performance.now() - began) / 1000;
      await pause(Math.min(longest, Math.max(shortest, away / 10)));
    }
  }

  waitS() {
    const { first_s, longest_s, in_a_row, rest_s, jitter } = this.rules;
    if (!this.failures) return 0;
    const wait = this.failures >= in_a_row ? rest_s : Math.min(longest_s, first_s * 2 ** (this.failures - 1));
    return wait * (1 - jitter + 2 * jitter * Math.random());
  }

  // ------------------------------------------------------------ from the daemon

  hear(said) {
    switch (said.op) {
      case "attached": return this.greet(said);
      case "taken": this.ofUse = true; return this.taken(said.n);
      case "gap":
        this.arrived = said.to;
        return this.view.lost(said.to - said.from, () => this.note(said.to));
      case "resized": return this.view.resized(said.cols, said.rows);
      case "exited": this.exit = said; return this.finish();
      case "error": return this.fault(said);
      case "bye": if (said.reason === "superseded") this.end("another window shows this session now");
    }
  }

  greet(said) {
    if (said.taken < this.sure) { // the keeper knows us no more
      this.clientId = hex(crypto.getRandomValues(new Uint8Array(8)));
      const kept = this.pieces.map(([, piece]) => piece).join("");
      this.forgetKeys();
      this.type(kept);
      return this.socket.close();
    }
    if (this.arrived === null) this.arrived = this.shown = said.offset;
    this.acked = this.shown;
    this.attached = true;
    this.since = performance.now();
    this.taken(said.taken);
    this.sent = this.sure;
    this.view.state("connected");
    this.flush();
  }

  take(frame) {
    const offset = Number(new DataView(frame.buffer).getBigUint64(0));
    if (offset !== this.arrived) return this.socket.close();
    const output = frame.subarray(OFFSET), end = offset + output.length;
    this.arrived = end;
    this.view.write(output, () => this.note(end));
  }

  // What has arrived will be shown, whatever becomes of the line, and is not asked for again.
  note(shown) {
    this.shown = shown;
    this.ofUse = true;
    if (this.exit) return this.finish();
    if (this.shown - this.acked >= ACK_BYTES) return this.ack();
    this.ackTimer ??= setTimeout(() => this.ack(), ACK_MS);
  }

  ack() {
    clearTimeout(this.ackTimer);
    this.ackTimer = null;
    if (!this.attached || this.shown <= this.acked) return;
    this.acked = this.shown;
    this.say("ack", { offset: this.shown });
  }

  finish() {
    if (!this.attached || this.shown !== this.arrived) return;
    this.say("ack", { offset: this.shown, exited: true });
    this.end(`ended: ${this.exit.signal ?? `exit code ${this.exit.status}`}`);
  }

  fault(said) {
    const action = this.rules.errors[said.code]?.action ?? "show";
    if (action === "resend") {
      this.sent = this.sure;
      setTimeout(() => this.flush(), RESEND_MS);
    } else if (action === "authenticate") {
      this.over = true; // until there is another credential
      this.view.denied(said.message);
    } else if (this.attached) {
      this.view.state(said.message);
    } else if (action !== "retry") {
      this.end(said.message);
    }
  }

  end(text) {
    this.over = true;
    this.view.ended(text);
  }

  // ------------------------------------------------------------ to the daemon

  forgetKeys() {
    this.pieces = [];
    this.last = this.sent = this.sure = this.waiting = 0;
  }

  flush() {
    if (!this.attached) return;
    for (const [sequence, text] of this.pieces) {
      if (sequence <= this.sent) continue;
      this.say("input", text, { sequence });
    }
    this.sent = this.last;
    this.ack();
  }

  taken(number) {
    this.sure = Math.max(this.sure, number);
    this.sent = Math.max(this.sent, this.sure);
    while (this.pieces.length && this.pieces[0][0] <= number) {
      this.waiting -= bytes.encode(this.pieces.shift()[1]).length;
    }
  }

  say(type, data, metadata) {
    if (this.socket.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify({ type, data, ...(metadata ? { metadata } : {}) }));
    }
  }
}

function pieces(text) {
  const found = [];
  for (let start = 0; start < text.length;) {
    let end = Math.min(text.length, start + PIECE / 4);
    if (end < text.length && (text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end -= 1; // no half of a character
    found.push(text.slice(start, end));
    start = end;
  }
  return found;
}

export function pause(seconds) {
  return new Promise(done => setTimeout(done, seconds * 1000));
}

function hex(data) {
  return Array.from(data, byte => byte.toString(16).padStart(2, "0")).join("");
}
