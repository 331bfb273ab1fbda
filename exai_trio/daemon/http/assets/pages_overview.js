// The overview: how the daemon does, now and over time.
import { html } from "./vendor/lit-html.js";
import { chart } from "./chart.js";
import { bytes, compact, ms, number, percent, seconds } from "./format.js";
import { facts, filters, pill, table, tile, when } from "./parts.js";
import { runningColumns } from "./pages_calls.js";

const RANGES = [["", "1 hour"], ["24h", "24 hours"], ["14d", "14 days"], ["400d", "400 days"]];
const live = { t: [], calls: [], p95: [], running: [], memory: [] };

// A point for each tick, for ten minutes.
export function note(o) {
  const m = o.meters ?? {}, at = Date.parse(o.t) / 1000;
  if (live.t.length && at <= live.t.at(-1)) return;
  if (live.t.length && at - live.t.at(-1) > 15) for (const [key, list] of Object.entries(live)) list.push(key === "t" ? at - 1 : null);
  live.t.push(at); live.calls.push(m.calls_per_s ?? null); live.p95.push(m.duration_ms?.p95 ?? null);
  live.running.push(o.running.length); live.memory.push(m.memory_bytes ?? null);
  for (const list of Object.values(live)) if (list.length > 600) list.shift();
}

const bar = (title, free, used, waiting) => {
  const all = Math.max(free + used + waiting, 1);
  return html`<div><strong>${title}</strong> <span class="soft">${used} of ${free + used} in use, ${waiting} waiting</span>
    <svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="${title}: ${used} of ${free + used} in use, ${waiting} waiting">
    <rect class="free" width="100" height="10"></rect><rect class="used" width=${(100 * used) / all} height="10"></rect>
    <rect class="waiting" x=${100 - (100 * waiting) / all} width=${(100 * waiting) / all} height="10"></rect></svg></div>`;
};
const breakers = (o) => o.providers.flatMap((p) => Object.entries(p.breakers));

export default {
  title: "Overview", path: "/", needs: "/api/overview",
  load: async (ctx) => ({ history: await ctx.ask(`/api/history?range=${ctx.query.get("range") || "1h"}`) }),
  every: 10,
  view(ctx, data) {
    const o = ctx.overview;
    if (!o) return html`<p class="empty">Log in to see this daemon.</p>`;
    const m = o.meters ?? {}, c = o.calls, g = o.permits.global, h = data?.history;
    return html`<h1>Overview</h1>
    ${o.troubles.map((text) => html`<p class="notice bad" role="alert">■ ${text}</p>`)}
    <dl class="tiles">
      ${tile("calls a second", number(m.calls_per_s), `of ${seconds(m.window_s)}`)}${tile("running", number(o.running.length))}
      ${tile("p50", ms(m.duration_ms?.p50))}${tile("p95", ms(m.duration_ms?.p95))}${tile("p99", ms(m.duration_ms?.p99))}
      ${tile("failed", number(m.failures), `of ${number(m.ended)}`)}${tile("sessions", number(o.sessions))}${tile("connections", number(o.connections))}
      ${tile("memory", bytes(m.memory_bytes))}${tile("CPU", percent(m.cpu))}${tile("loop step p99", ms(m.loop_step_ms?.p99))}
    </dl>
    <div class="grid">
      <section class="card wide"><div class="head"><h2>Running calls</h2><a href="/calls">all calls</a></div>
        ${table("Running calls", runningColumns(ctx), o.running.slice(0, 12), "Nothing runs. Ask something: exai ask 'what does this do?'", (row) => `/calls/${row.id}`)}</section>
      ${chart("Calls a second", ["calls"], [live.t, live.calls])}
      ${chart("Duration, p95", ["p95"], [live.t, live.p95], ms)}
      ${chart("Memory", ["resident"], [live.t, live.memory], bytes)}
      <section class="card wide"><div class="head"><h2>History</h2>${filters(ctx, [["range", "over", RANGES]])}</div>
        ${h ? html`<div class="grid">
          ${chart("Calls", ["ended", "failed"], [h.t, h.calls, h.failures])}
          ${chart("Duration", ["p50", "p95", "p99"], [h.t, h.p50_ms, h.p95_ms, h.p99_ms], ms)}
          ${chart("Memory over time", ["resident"], [h.t, h.memory_bytes], bytes)}
        </div>` : html`<p class="empty">reading…</p>`}</section>
      <section class="card" id="permits"><h2>Queue and permits</h2>${bar("all calls", g.current, g.inflight, g.waiting)}
        ${Object.entries(o.permits.providers).map(([name, p]) => bar(name, p.current, p.expected - p.current, p.waiting))}</section>
      <section class="card"><h2>Breakers</h2>${breakers(o).length ? facts(Object.fromEntries(breakers(o).map(([name, state]) => [name, pill(state === "closed" ? "good" : "bad", state)]))) : html`<p>${pill("good", "all closed")}</p>`}
        <h2>Providers</h2>${o.providers.length ? o.providers.map((p) => html`<p>${p.title}${p.simulated ? " (simulated)" : ""}</p>`) : html`<p class="empty">None is set up: exai init finds one.</p>`}</section>
      <section class="card"><h2>WebSocket</h2>${facts({ connections: number(o.connections), "at most": number(o.websocket.max_connections), resumes: number(m.resumes), "frames replayed": number(m.replayed_frames), "frames": number(m.messages), "calls refused": number(m.refused), heartbeat: `each ${seconds(o.websocket.ping_interval_s)}, answered within ${seconds(o.websocket.ping_timeout_s)}`, listening: o.websocket.listening ? "yes" : "no" })}</section>
      <section class="card"><h2>Errors by category, last minute</h2>${Object.keys(m.errors_by_category ?? {}).length ? facts(Object.fromEntries(Object.entries(m.errors_by_category).map(([k, v]) => [k, number(v)]))) : html`<p class="empty">None.</p>`}</section>
      <section class="card"><h2>Since the start</h2>${facts({ started: when(o.started_at), accepted: number(c.accepted), answered: number(c.finished), failed: number(c.failed), cancelled: number(c.cancelled), "timed out": number(c.timed_out), refused: number(c.refused), "sent again": number(c.repeated), "tokens in": compact(m.tokens?.input), "tokens out": compact(m.tokens?.output) })}</section>
    </div>`;
  },
};
