// Calls: running ones first, then those that have ended; one of them with its waterfall.
import { html, nothing, svg } from "./vendor/lit-html.js";
import { DASH, cut, money, ms, number, seconds } from "./format.js";
import { facts, filters, loginFirst, longText, name, outcome, pill, table, when } from "./parts.js";

export const runningColumns = (ctx) => [
  ["tool", (r) => html`<a href="/calls/${r.id}">${name(r.tool, 40)}</a>`],
  ["stage", (r) => pill("", cut(r.stage, 40))],
  ["age", (r) => seconds(r.age_s), "n"],
  ["provider", (r) => r.provider || DASH],
  ["action", (r) => (ctx.may("changes") ? html`<button class="danger" data-cancel=${r.id} @click=${() => ctx.cancel(r)} aria-label="cancel ${r.tool}">cancel</button>` : nothing), "n"],
];
const endedColumns = [
  ["began (UTC)", (r) => when(r.started_at), "t"],
  ["tool", (r) => html`<a href="/calls/${r.id}">${name(r.tool, 40)}</a>`],
  ["model", (r) => name(r.model || DASH, 40)],
  ["outcome", (r) => outcome(r.code)],
  ["took", (r) => ms(r.duration_ms), "n"],
  ["first text", (r) => ms(r.first_chunk_ms), "n"],
  ["tokens in, out", (r) => (r.input_tokens === null ? DASH : `${number(r.input_tokens)}, ${number(r.output_tokens)}`), "n"],
  ["cost", (r) => money(r.cost, r.currency), "n"],
];
const FIELDS = [["tool", "tool"], ["model", "model"], ["code", "outcome", [["", "any"], ["ok", "ok"], ...["CANCELLED", "TIMEOUT", "PROVIDER_ERROR", "INTERNAL_ERROR", "TOOL_EXECUTION_ERROR", "VALIDATION_ERROR", "OVER_CAPACITY", "INTERRUPTED"].map((x) => [x, x])]], ["least_ms", "at least ms"], ["most_ms", "at most ms"], ["since", "since (UTC)"], ["until", "until (UTC)"]];
const PERSONAL = [["principal", "principal"], ["project", "project"], ["session", "session"]];

function asked(ctx, before) {
  const wanted = new URLSearchParams();
  for (const [key] of [...FIELDS, ...(ctx.may("texts") ? PERSONAL : [])]) {
    let value = ctx.query.get(key);
    if (value && (key === "since" || key === "until") && !/^[\d.]+$/.test(value)) value = String(Date.parse(value.endsWith("Z") ? value : `${value}Z`) / 1000 || "");
    if (value) wanted.set(key, value);
  }
  if (before) wanted.set("before", before);
  return `/api/calls?${wanted}`;
}

export default {
  title: "Calls", path: "/calls", needs: "/api/calls", every: 2,
  load: (ctx) => ctx.ask(asked(ctx)),
  // What older pages of the list are there stays there.
  merge: (old, fresh) => (old?.older ? { ...fresh, rows: [...fresh.rows, ...old.rows.filter((r) => r.number < (fresh.rows.at(-1)?.number ?? 0))], next: old.next, older: true } : fresh),
  view(ctx, data) {
    const running = ctx.overview?.running ?? [], tool = ctx.query.get("tool");
    const shown = running.filter((r) => !tool || r.tool === tool);
    return html`<h1>Calls</h1>${filters(ctx, [...FIELDS, ...(ctx.may("texts") ? PERSONAL : [])])}
      <section class="card"><h2>Running: ${shown.length}</h2>${table("Running calls", runningColumns(ctx), shown, "Nothing runs now.", (r) => `/calls/${r.id}`)}</section>
      <section class="card"><h2>Ended</h2>${data ? table("Ended calls", endedColumns, data.rows, "No call has ended that fits. Clear the filters, or ask something: exai ask", (r) => `/calls/${r.id}`) : html`<p class="empty">reading…</p>`}
      ${data?.next ? html`<button class="more" @click=${async () => { const more = await ctx.ask(asked(ctx, data.next)); ctx.show({ ...data, rows: [...data.rows, ...more.rows], next: more.next, older: true }); }}>older calls</button>` : nothing}</section>`;
  },
};

const KINDS = { "first chunk": "wait", thinking: "think", streaming: "stream" };
function spansOf(call) {
  if (call.spans?.length) return call.spans.map((s) => [s.branch ? `${s.name} · ${s.branch}` : s.name, s.began_ms, s.ended_ms, KINDS[s.name] ?? (/permit|journal/.test(s.name) ? "wait" : "")]);
  const total = call.duration_ms ?? 1000 * (call.age_s ?? 0);
  let at = 0; const rows = [];
  const add = (label, length, kind) => { if (length > 0) { rows.push([label, at, at + length, kind]); at += length; } };
  add("daemon permit", call.permit_wait_ms, "wait"); add("provider permit", call.provider_wait_ms, "wait");
  if (call.first_chunk_ms) { add("to the first text", Math.max(0, call.first_chunk_ms - at), "think"); add("streaming and the rest", total - at, "stream"); }
  else add(call.running ? `${call.stage} (running)` : "work", total - at, "");
  return rows;
}
function waterfall(call) {
  const rows = spansOf(call), end = Math.max(1, call.duration_ms ?? 0, ...rows.map((r) => r[2]));
  const text = rows.map(([label, from, to]) => `${label} from ${ms(from)} to ${ms(to)}`).join("; ");
  return html`<section class="card wide"><h2>Where the time went</h2>
    <svg class="waterfall" viewBox="0 0 600 ${rows.length * 24 + 4}" role="img" aria-label=${text || "nothing was measured yet"}>
    ${rows.map(([label, from, to, kind], i) => svg`<rect class=${kind} x=${190 + (400 * from) / end} y=${i * 24 + 4} width=${Math.max(1.5, (400 * (to - from)) / end)} height="15" rx="2"></rect><text x="0" y=${i * 24 + 16}>${cut(label, 26)} ${ms(to - from)}</text>`)}</svg></section>`;
}
export const oneCall = {
  title: "Call", path: "/calls/", every: 1,
  load: (ctx) => (ctx.may("texts") && ctx.last?.call.running !== false ? ctx.ask(`/api/calls/${encodeURIComponent(ctx.id)}`) : ctx.last ?? null),
  view(ctx, data) {
    if (!ctx.may("texts")) return loginFirst(ctx, "one call");
    if (!data) return html`<p class="empty">reading…</p>`;
    const c = data.call;
    return html`<div class="head"><h1>${name(c.tool)} ${c.running ? pill("", c.stage) : outcome(c.code)}</h1>
      ${c.running && ctx.may("changes") ? html`<button class="danger" data-cancel=${c.id} @click=${() => ctx.cancel(c)}>cancel this call</button>` : nothing}</div>
    <div class="grid">${waterfall(c)}
      <section class="card"><h2>Call</h2>${facts({ id: c.id, "correlation id": c.correlation_id, began: when(c.started_at), took: c.running ? seconds(c.age_s) : ms(c.duration_ms), attempt: c.attempt, "requests to providers": c.requests, session: name(c.session), principal: name(c.principal), project: name(c.project || DASH, 200) })}</section>
      <section class="card"><h2>Model</h2>${facts({ provider: c.provider || DASH, model: name(c.model || DASH), "tokens in": number(c.input_tokens), cached: number(c.cached_tokens), "tokens out": number(c.output_tokens), reasoning: number(c.reasoning_tokens), cost: money(c.cost, c.currency) })}</section>
      ${data.incidents?.length ? html`<section class="card wide"><h2>Incidents</h2>${data.incidents.map((i) => html`<p><a href="/incidents/${i.id}">${name(`${i.error_type}: ${i.error_message}`, 200)}</a> ${i.resolved ? pill("good", "resolved") : nothing}</p>`)}</section>` : nothing}
      ${c.arguments ? html`<section class="card wide"><h2>Arguments, cut short</h2>${longText(JSON.stringify(c.arguments, null, 2), "arguments")}</section>` : nothing}
      <section class="card wide"><h2>Log</h2>${data.logs.length ? html`<ul class="log" tabindex="0" aria-label="Log lines">${data.logs.map((line) => html`<li>${cut(line, 2000)}</li>`)}</ul>` : html`<p class="empty">The log has no line of this call; LOG_LEVEL=DEBUG says more.</p>`}</section>
    </div>`;
  },
};
