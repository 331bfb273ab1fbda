// The dashboard: what it shows is its URL; a tick a second, drawn once a frame.
import { html, nothing, render } from "./vendor/lit-html.js";
import { Refused, ask, download, follow, login, logout, stored } from "./api.js";
import { cut } from "./format.js";
import { statusPill } from "./parts.js";
import overview, { note } from "./pages_overview.js";
import calls, { oneCall } from "./pages_calls.js";
import { conversations, oneConversation, sessions } from "./pages_people.js";
import { daemon, storage, usage } from "./pages_daemon.js";
import { alerts, incidents, oneIncident } from "./pages_faults.js";
import { access } from "./pages_access.js";
import { moved as alertMoved, wished } from "./notify.js";

const PAGES = [overview, calls, sessions, conversations, usage, storage, incidents, alerts, access, daemon];
const ONES = [oneCall, oneConversation, oneIncident];
const OLD = { "/monitoring_dashboard.html": "/", "/semaphore_monitor.html": "/" };
const root = document.getElementById("app"), first = JSON.parse(document.getElementById("first").textContent);
const state = { overview: first.overview, data: undefined, me: { may: [], has: [] }, feed: "first", fault: "", said: "", paused: false, boot: first.overview?.boot_id, loads: 0, dialog: undefined };

const placeOf = () => OLD[location.pathname] ?? location.pathname;
// The port of incidents has no other page.
const isHere = (page) => !state.me.has.length || ctx.has(page.needs);
const pageNow = () => PAGES.find((page) => page.path === placeOf() && isHere(page)) ?? ONES.find((page) => placeOf().startsWith(page.path)) ?? (isHere(overview) ? overview : incidents);
const ctx = {
  get overview() { return state.overview; }, get query() { return new URLSearchParams(location.search); },
  get id() { return decodeURIComponent(placeOf().split("/")[2] ?? ""); },
  get last() { return state.data; },
  may: (gives) => state.me.may.includes(gives),
  has: (path) => state.me.has.includes(path),
  ask, show(data) { state.data = data; draw(); },
  go(path) { history.pushState(null, "", path); moved(); },
  filter(key, value) { const query = ctx.query; value ? query.set(key, value) : query.delete(key); ctx.filterAll(Object.fromEntries(query)); },
  filterAll(query) { const text = new URLSearchParams(query).toString(); history.pushState(null, "", placeOf() + (text ? `?${text}` : "")); state.data = undefined; draw(); load(); },
  cancel: (call) => ctx.confirm(`Cancel ${cut(call.tool, 60)}? Its client hears that it was cancelled.`, () => ctx.change(`/api/calls/${encodeURIComponent(call.id)}/cancel`)),
  async change(path, body = {}, done) {
    try { const told = await ask(path, body); say("done"); done ? done(told) : await load(); } catch (fault) { say(fault.message); if (fault.status === 401) await who(); }
  },
  download: (path, file) => download(path, file).catch((fault) => say(fault.message)),
  say: (text) => say(text), renew: () => { feed?.restart(); draw(); },
  confirm: (text, yes) => open({ text, yes }), prompt: (text, yes, inputs = ["name"]) => open({ text, yes, inputs }), login: () => open({ text: "Log in", login: true }),
};

function say(text) { state.said = text; draw(); setTimeout(() => { if (state.said === text) { state.said = ""; draw(); } }, 4000); }

let due = false;
function draw() { if (!due && !document.hidden) { due = true; requestAnimationFrame(() => { due = false; render(frame(), root); }); } }

async function load() {
  const page = pageNow(), turn = ++state.loads;
  try {
    const fresh = await page.load(ctx);
    if (turn !== state.loads) return;
    state.data = page.merge ? page.merge(state.data, fresh) : fresh; state.fault = "";
  } catch (fault) {
    if (turn !== state.loads) return;
    state.fault = fault.status === 0 ? "" : fault.message;
    if (fault.status === 401 && ctx.may("texts")) await who();
  }
  draw();
}
function moved() { state.data = undefined; document.title = `EXAI · ${pageNow().title}`; draw(); load(); root.querySelector("main")?.focus?.(); }
async function who(tries = 3) {
  try { state.me = await ask("/api/me"); } catch (fault) { if (!(fault instanceof Refused)) throw fault; }
  draw();
  // A daemon that has just begun may not know a token of its registry yet.
  if (stored() && !state.me.principal && tries) setTimeout(() => who(tries - 1).then(load), 1500);
}

const theme = () => document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
function recolour() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem("exai-theme", next); } catch { /* private mode */ }
  dispatchEvent(new Event("exai-theme")); draw();
}
function pause() { state.paused = !state.paused; feed.pause(state.paused); draw(); }

const FEED = { live: "live", first: "connecting", away: "no answer" };
function frame() {
  const page = pageNow(), o = state.overview;
  return html`<header class="top"><a class="brand" href="/">EXAI</a>
    <nav aria-label="Pages">${PAGES.filter(isHere).map((one) => html`<a href=${one.path} aria-current=${one === page || (one.path !== "/" && page.path.startsWith(one.path)) ? "page" : nothing}>${one.title}</a>`)}${ctx.has("/api/terminals") ? html`<a href="/terminals" data-whole>Terminals</a>` : nothing}</nav>
    <div class="tools">${o ? statusPill(o.status) : nothing}<span class="soft" role="status" id="feed">${state.paused ? "paused" : FEED[state.feed]}</span>
      <button @click=${pause} aria-pressed=${state.paused}>${state.paused ? "go on" : "pause"}</button>
      <button @click=${recolour} aria-label="light or dark">◐</button><button @click=${() => open({ keys: true })} aria-label="keys">?</button>
      ${state.me.principal ? html`<button @click=${out} title="logged in as ${state.me.principal}">log out</button>` : html`<button @click=${ctx.login}>log in</button>`}</div></header>
    ${state.feed === "away" ? html`<p class="notice bad" role="alert" id="away">■ The daemon does not answer. What is shown is old; this page tries again by itself.</p>` : nothing}
    ${state.fault ? html`<p class="notice bad" role="alert">■ ${state.fault}</p>` : nothing}
    <div class="said" role="status" aria-live="polite" id="said">${state.said}</div>
    <main tabindex="-1">${page.view(ctx, state.data)}</main>${dialog()}`;
}
async function out() { await logout(); await who(); feed.restart(); moved(); }

// Dialogs: the keys, a login, a question.
const KEYS = { "g o": "overview", "g c": "calls", "g s": "sessions", "g v": "conversations", "g u": "usage", "g t": "storage", "g i": "incidents", "g a": "alerts", "g e": "access", "g d": "daemon", "/": "to the first filter", "j, k": "next row, row before", "Enter": "open the row", "x": "cancel the call of the row", "p": "pause or go on", "t": "light or dark", "?": "these keys", "Esc": "close" };
const GO = { o: "/", c: "/calls", s: "/sessions", v: "/conversations", u: "/usage", t: "/storage", i: "/incidents", a: "/alerts", e: "/access", d: "/daemon" };
let back;
function open(what) {
  back = document.activeElement; state.dialog = what; render(frame(), root);
  const box = root.querySelector("dialog");
  if (!box.open) box.showModal();
}
function close() { root.querySelector("dialog")?.close(); }
function closed() { state.dialog = undefined; draw(); back?.isConnected && back.focus(); }
async function submitted(event) {
  event.preventDefault();
  const asked = state.dialog, value = event.target.elements.value?.value ?? "", second = event.target.elements.second?.value ?? "";
  if (!asked.login) { close(); asked.yes(value, second); return; }
  try { await login({ token: value.trim() }); close(); await entered(); } catch (fault) { state.dialog = { ...asked, fault: fault.message }; draw(); }
}
function dialog() {
  const d = state.dialog;
  return html`<dialog aria-label=${d?.keys ? "Keys" : d?.text ?? "Dialog"} @close=${closed}>${!d ? nothing : d.keys
    ? html`<h1>Keys</h1><dl class="keys">${Object.entries(KEYS).map(([key, does]) => html`<dt><kbd>${key}</kbd></dt><dd>${does}</dd>`)}</dl><p class="row"><button autofocus @click=${close}>close</button></p>`
    : html`<form @submit=${submitted}><h1>${d.text}</h1>
      ${d.login ? html`<p>Paste the daemon's token. It is in <code>state/ws_token</code> of EXAI_HOME, or in EXAI_WS_TOKEN; <code>exai dashboard</code> opens this page without it.</p><label>token <input name="value" type="password" autocomplete="off" required autofocus></label>` : nothing}
      ${(d.inputs ?? []).map((label, i) => html`<label>${label} <input name=${i ? "second" : "value"} autocomplete="off" maxlength=${i ? 100 : 2000} ?autofocus=${!i}></label>`)}
      ${d.fault ? html`<p class="notice bad" role="alert">■ ${d.fault}</p>` : nothing}
      <div class="row"><button type="button" @click=${close}>back</button><button class="primary" type="submit">${d.login ? "log in" : "yes"}</button></div></form>`}</dialog>`;
}
async function entered() { await who(); feed.restart(); say("logged in"); moved(); }

let prefix = "";
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || state.dialog || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const key = event.key, was = prefix; prefix = "";
  if (was === "g" && GO[key]) return ctx.go(GO[key]);
  if (key === "g") prefix = "g";
  else if (key === "?") open({ keys: true });
  else if (key === "p") pause();
  else if (key === "t") recolour();
  else if (key === "/") { event.preventDefault(); root.querySelector(".filters input, .filters select")?.focus(); }
  else if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
  else if (key === "Enter" && row && document.activeElement === document.body) ctx.go(row);
  else if (key === "x") root.querySelector("tr.on [data-cancel], main .head [data-cancel]")?.click();
});
let row;
function step(by) {
  const rows = [...root.querySelectorAll("tr[data-row]")], at = rows.findIndex((one) => one.dataset.row === row);
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
  rows.forEach((one) => one.classList.toggle("on", one === next));
  row = next?.dataset.row; next?.scrollIntoView({ block: "nearest" });
}
addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || link.origin !== location.origin || link.download || "whole" in link.dataset) return;
  event.preventDefault(); ctx.go(link.pathname + link.search);
});
addEventListener("popstate", moved);
document.addEventListener("visibilitychange", () => { if (!document.hidden) { draw(); load(); } });

let ticks = 0, feed;
function heard(o) {
  if (state.boot && o.boot_id !== state.boot) { say("the daemon was restarted"); who(); }
  state.boot = o.boot_id; state.overview = o; note(o); ticks += 1;
  const every = pageNow().every;
  if (!document.hidden && every && ticks % every === 0) load();
  draw();
}
async function start() {
  try { const kept = localStorage.getItem("exai-theme"); if (kept) document.documentElement.dataset.theme = kept; } catch { /* private mode */ }
  document.title = `EXAI · ${pageNow().title}`;
  root.replaceChildren(); if (state.overview) note(state.overview);
  render(frame(), root);
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code) {
    history.replaceState(null, "", location.pathname + location.search);
    try { await login({ code }); say("logged in"); } catch (fault) { say(fault.message); }
  }
  await who();
  const happened = (event) => { if (event.event === "AlertMoved") alertMoved(ask, event).catch(() => {}); };
  feed = follow(heard, happened, (now) => { state.feed = now; draw(); }, () => (wished() ? ["overview", "event"] : ["overview"]));
  load();
  if (location.pathname === "/semaphore_monitor.html") root.querySelector("#permits")?.scrollIntoView();
}
start();
