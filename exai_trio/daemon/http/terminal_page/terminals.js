// The page of terminals: tabs, what may be done with them, and all of it by keyboard.

import { Terminal } from "/terminals/vendor/xterm.mjs";
import { FitAddon } from "/terminals/vendor/addon-fit.mjs";
import { TerminalLink, ask, pause } from "/terminals/terminal_link.js";

const KEY = "exai.session"; // a login of the dashboard is one here
const rules = JSON.parse(document.getElementById("rules").textContent);
const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.hostname}:${rules.port}/terminal`;
const at = id => document.getElementById(id);
const tabs = []; // {id, name, button, place, term, fit, link, state}
let current = null;

const credential = () => ({ session: sessionStorage.getItem(KEY) ?? "" });
const request = (type, data) => ask(url, credential(), type, data);
const tell = text => { at("state").textContent = text; };

// ------------------------------------------------------------ questions

let latest = Promise.resolve();

// The text that was answered, "" for yes where nothing is to be written, null for no. Questions come one after the other: they
// share a dialog, which tells that it was closed when the next may be open already.
function question(text, value = null, secret = false) {
  return latest = latest.then(() => answered(text, value, secret));
}

function answered(text, value, secret) {
  const dialog = at("question"), answer = at("answer");
  at("asked").textContent = text;
  answer.hidden = value === null;
  answer.type = secret ? "password" : "text";
  answer.value = value ?? "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise(done => {
    dialog.addEventListener("close", () => {
      const said = dialog.returnValue === "yes" ? (value === null ? "" : answer.value) : null;
      answer.value = "";
      done(said);
    }, { once: true });
  });
}

// A login ends with its daemon: with the token that was given here another one is had at once, else it is asked for.
let given = null, entering = null;

function enter(why) {
  entering ??= entered(why).finally(() => { entering = null; });
  return entering;
}

async function entered(why) {
  if (given !== null && await logged(given) === null) return;
  for (let asks = why; ;) {
    const token = await question(`${asks} The token is in state/ws_token of EXAI_HOME:`, "", true);
    if (token === null) throw new Error("not logged in; reload to try again");
    const refused = await logged(token.trim());
    if (refused === null) return;
    asks = `${refused}.`;
  }
}

// Why the token is refused, or null.
async function logged(token) {
  while (!await door()) await pause(rules.look_s[1]);
  const answer = await fetch("/api/login", {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ token }),
  });
  const said = await answer.json();
  if (!answer.ok) return said.error.message;
  given = token;
  sessionStorage.setItem(KEY, said.session);
  return null;
}

// Whether the daemon's pages are there; they come last.
async function door() {
  try {
    await fetch("/terminals/terminals.css", { method: "HEAD", cache: "no-store" });
    return true;
  } catch {
    return false;
  }
}

async function tried(work) {
  try {
    return await work();
  } catch (fault) {
    if (rules.errors[fault.code]?.action !== "authenticate") return tell(fault.message);
  }
  try {
    await enter("A terminal wants a credential, on this machine too.");
    return await work();
  } catch (fault) {
    tell(fault.message);
  }
}

// ------------------------------------------------------------ tabs

function open(session) {
  const place = document.createElement("div");
  place.className = "place";
  place.id = `place-${session.session_id}`;
  place.setAttribute("role", "tabpanel");
  at("places").append(place);
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("role", "tab");
  button.setAttribute("aria-controls", place.id);
  const term = new Terminal({ cols: 80, rows: 24, scrollback: 10000, cursorBlink: false });
  const fit = new FitAddon();
  term.loadAddon(fit);
  term.open(place);
  const tab = { id: session.session_id, name: session.tab_name, button, place, term, fit, state: "connecting" };
  button.addEventListener("click", () => show(tab, true));
  at("tabs").append(button);
  tabs.push(tab);
  name(tab);
  show(tab, false);
  tab.link = linked(tab);
  term.onData(text => typed(tab, text));
  term.attachCustomKeyEventHandler(event => event.type !== "keydown" || !shortcut(event));
  term.textarea.addEventListener("paste", event => pasted(tab, event), true);
  return tab;
}

function linked(tab) {
  const state = text => { tab.state = text; if (tab === current) tell(`${tab.name}: ${text}`); };
  const size = () => ({ cols: tab.term.cols, rows: tab.term.rows });
  const link = new TerminalLink({ url, credential, door, sessionId: tab.id, rules, size: size(), view: {
    write: (data, shown) => tab.term.write(data, shown),
    lost: (count, shown) => { tab.term.write("\x1bc", shown); state(`${count} bytes of output are gone; the screen begins anew`); },
    resized: (cols, rows) => {
      tab.term.resize(cols, rows);
      tab.place.classList.add("foreign");
      state(`another window has set ${cols} × ${rows}`);
    },
    state,
    ended: text => { state(text); tab.button.textContent = `${tab.name} (ended)`; },
    denied: text => enter(`${text}.`).then(() => tab.link.again(), fault => state(fault.message)),
  } });
  tab.term.onResize(({ cols, rows }) => { if (!tab.place.classList.contains("foreign")) link.resize(cols, rows); });
  return link;
}

function typed(tab, text) {
  if (tab.place.classList.contains("foreign")) fitted(tab); // who types rules
  if (!tab.link.type(text) && !tab.link.over) tell(`${tab.name}: too much is typed and not taken; this was not`);
}

async function pasted(tab, event) {
  const text = event.clipboardData?.getData("text") ?? "";
  const lines = text.split(/\r\n|\r|\n/).length;
  if (lines < 2) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (await question(`Paste ${lines} lines? Each may run as a command.`) !== null) tab.term.paste(text);
  tab.term.focus();
}

function name(tab) {
  tab.button.textContent = tab.name;
}

function show(tab, focuses) {
  current = tab;
  for (const one of tabs) {
    one.place.hidden = one !== tab;
    one.button.setAttribute("aria-selected", String(one === tab));
    one.button.tabIndex = one === tab ? 0 : -1;
  }
  if (!tab) return tell("no session; New starts one");
  fitted(tab);
  tell(`${tab.name}: ${tab.state}`);
  if (focuses) tab.term.focus();
}

function fitted(tab) {
  tab.place.classList.remove("foreign");
  tab.fit.fit();
  tab.link?.resize(tab.term.cols, tab.term.rows);
}

function beside(step) {
  if (tabs.length) show(tabs[(tabs.indexOf(current) + step + tabs.length) % tabs.length], true);
}

function shut(tab) {
  tab.link.close();
  tab.term.dispose();
  tab.place.remove();
  tab.button.remove();
  tabs.splice(tabs.indexOf(tab), 1);
  if (tab === current) show(tabs.at(-1) ?? null, true);
}

// ------------------------------------------------------------ what may be done

const actions = {
  async new() {
    const place = current?.term ?? { cols: 80, rows: 24 };
    const { session } = await request("create", { cols: place.cols, rows: place.rows });
    show(open(session), true);
  },
  async rename() {
    const tab = current, said = tab && await question(`A name for ${tab.name}:`, tab.name);
    if (!said) return;
    const { session } = await request("rename", { session_id: tab.id, tab_name: said });
    tab.name = session.tab_name;
    name(tab);
    show(tab, true);
  },
  async kill() {
    const tab = current;
    if (!tab) return;
    if (tab.link.over) return shut(tab);
    if (await question(`End ${tab.name}, and all that it has started?`) === null) return;
    await request("kill", { session_id: tab.id });
    shut(tab);
  },
  async find() {
    const said = current && await question("Search for:", current.sought ?? "");
    if (said) tell(found(current, said) ? `${current.name}: found` : `${current.name}: ${said} is not there`);
    current?.term.focus();
  },
  async copy() {
    const text = current?.term.getSelection();
    if (!text) return tell("nothing is selected");
    await navigator.clipboard.writeText(text);
    tell("copied");
  },
  async leave() {
    const session = sessionStorage.getItem(KEY);
    given = null;
    sessionStorage.removeItem(KEY);
    for (const tab of [...tabs]) shut(tab);
    await fetch("/api/logout", {
      method: "POST", headers: { "content-type": "application/json", authorization: `Bearer ${session}` }, body: "{}",
    });
    tell("logged out; sessions go on");
  },
};

// The last place of the text above what was found before.
function found(tab, text) {
  const buffer = tab.term.buffer.active, wanted = text.toLowerCase();
  const below = tab.sought === text && tab.foundAt > 0 ? tab.foundAt - 1 : buffer.length - 1;
  tab.sought = text;
  for (let line = below; line >= 0; line -= 1) {
    const column = buffer.getLine(line).translateToString(true).toLowerCase().lastIndexOf(wanted);
    if (column < 0) continue;
    tab.foundAt = line;
    tab.term.select(column, line, text.length);
    tab.term.scrollToLine(Math.max(0, line - 5));
    return true;
  }
  tab.foundAt = 0;
  return false;
}

// True for a key that is ours and not the program's.
function shortcut(event) {
  const both = event.ctrlKey && event.shiftKey;
  const ours = {
    F6: () => (document.activeElement === current?.term.textarea ? current.button.focus() : current?.term.focus()),
    ...(both ? {
      ArrowLeft: () => beside(-1),
      ArrowRight: () => beside(1),
      F: () => tried(actions.find),
      C: () => tried(actions.copy),
    } : {}),
  }[event.key.length === 1 ? event.key.toUpperCase() : event.key];
  if (!ours) return false;
  event.preventDefault();
  event.stopPropagation();
  ours();
  return true;
}

async function start() {
  await tried(async () => {
    const { sessions } = await request("list", {});
    for (const session of sessions) {
      if (session.state === "running" && !tabs.some(tab => tab.id === session.session_id && !tab.link.over)) {
        const former = tabs.find(tab => tab.id === session.session_id);
        if (former) shut(former);
        open(session);
      }
    }
    show(tabs.at(-1) ?? null, true);
  });
}

for (const [id, action] of Object.entries(actions)) at(id).addEventListener("click", () => tried(action));
document.addEventListener("keydown", event => { if (!at("question").open) shortcut(event); });
at("tabs").addEventListener("keydown", event => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || event.ctrlKey) return;
  beside(step);
  current.button.focus();
});
new ResizeObserver(() => { if (current && !current.place.classList.contains("foreign")) fitted(current); }).observe(at("places"));

start();
