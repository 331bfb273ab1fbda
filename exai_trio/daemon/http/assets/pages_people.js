// Sessions and conversations: who is there, and what was asked and answered.
import { html, nothing } from "./vendor/lit-html.js";
import { DASH, bytes, number, seconds } from "./format.js";
import { empty, filters, loginFirst, longText, name, pill, table, when } from "./parts.js";

const more = (ctx, data, path) => data?.next ? html`<button class="more" @click=${async () => { const next = await ctx.ask(`${path}${path.includes("?") ? "&" : "?"}before=${encodeURIComponent(data.next)}`); ctx.show({ rows: [...data.rows, ...next.rows], next: next.next, older: true }); }}>more</button>` : nothing;
const keep = (old, fresh) => (old?.older ? old : fresh);

export const sessions = {
  title: "Sessions", path: "/sessions", needs: "/api/sessions", every: 3, merge: keep,
  load: (ctx) => (ctx.may("texts") ? ctx.ask("/api/sessions") : null),
  view(ctx, data) {
    if (!ctx.may("texts")) return loginFirst(ctx, "sessions");
    const columns = [
      ["client", (r) => html`${name(r.client || "not said")} <span class="soft">${name(r.client_version, 30)}</span>`],
      ["state", (r) => (r.connected ? pill("good", "connected") : html`${pill("warn", "away")} <span class="soft">since ${when(r.away_since)}</span>`)],
      ["principal", (r) => name(r.principal, 40)], ["address", (r) => r.address || DASH], ["calls", (r) => number(r.calls), "n"], ["unacked frames", (r) => number(r.unacked_frames), "n"],
      ["resumes", (r) => number(r.resumes), "n"], ["answered a ping", (r) => (r.beat_s === null ? DASH : `${seconds(r.beat_s)} ago`), "n"], ["memory", (r) => bytes(r.held_bytes), "n"], ["since (UTC)", (r) => when(r.opened_at), "t"], ["id", (r) => name(r.id, 30)],
      ["action", (r) => (ctx.may("changes") ? html`<button class="danger" @click=${() => ctx.confirm(`End the session of ${r.client || r.id}? Its calls are cancelled.`, () => ctx.change(`/api/sessions/${encodeURIComponent(r.id)}/end`))} aria-label="end session ${r.id}">end</button>` : nothing), "n"],
    ];
    return html`<h1>Sessions</h1><section class="card">${data ? table("Sessions", columns, data.rows, "No client is connected. An editor connects by itself: exai init registers EXAI there.") : empty("reading…")}${more(ctx, data, "/api/sessions")}</section>`;
  },
};

const asked = (ctx) => `/api/conversations?q=${encodeURIComponent(ctx.query.get("q") ?? "")}`;
export const conversations = {
  title: "Conversations", path: "/conversations", needs: "/api/conversations", every: 10, merge: keep,
  load: (ctx) => (ctx.may("texts") ? ctx.ask(asked(ctx)) : null),
  view(ctx, data) {
    if (!ctx.may("texts")) return loginFirst(ctx, "conversations");
    const columns = [
      ["last (UTC)", (r) => when(r.last_at), "t"], ["name", (r) => html`<a href="/conversations/${r.id}">${name(r.name || r.id.slice(0, 8))}</a>`], ["opening", (r) => name(r.opening, 120)],
      ["turns", (r) => number(r.turns), "n"], ["tool", (r) => r.tool || DASH], ["model", (r) => name(r.model || DASH, 40)], ["until (UTC)", (r) => when(r.expires_at), "t"],
    ];
    return html`<h1>Conversations</h1>${filters(ctx, [["q", "search"]])}<section class="card">${data ? table("Conversations", columns, data.rows, "No conversation is kept that fits. Tools that ask a model keep what was said.", (r) => `/conversations/${r.id}`) : empty("reading…")}${more(ctx, data, asked(ctx))}</section>`;
  },
};
export const oneConversation = {
  title: "Conversation", path: "/conversations/",
  load: (ctx) => (ctx.may("texts") ? ctx.ask(`/api/conversations/${encodeURIComponent(ctx.id)}`) : null),
  view(ctx, data) {
    if (!ctx.may("texts")) return loginFirst(ctx, "conversations");
    if (!data) return empty("reading…");
    const base = `/api/conversations/${encodeURIComponent(ctx.id)}`;
    return html`<div class="head"><h1>Conversation ${data.id.slice(0, 8)}</h1><div class="tools">
      <button @click=${() => ctx.download(`${base}/export`, `conversation-${data.id.slice(0, 8)}.json`)}>export</button>
      ${ctx.may("changes") ? html`<button @click=${() => ctx.prompt("Its name; nothing takes the name away", (value) => ctx.change(`${base}/name`, { name: value }))}>name</button>
      <button @click=${() => ctx.change(`${base}/fork`, {}, (told) => ctx.go(`/conversations/${told.id}`))}>copy</button>
      <button class="danger" @click=${() => ctx.confirm("Delete this conversation?", () => ctx.change(`${base}/delete`, {}, () => ctx.go("/conversations")))}>delete</button>` : nothing}</div></div>
      ${data.notice ? html`<p class="notice">${data.notice}</p>` : nothing}
      <section class="card">${data.turns.map((turn) => html`<article class="turn"><h2>${turn.role === "assistant" ? name(turn.model || "model") : "asked"} <span class="soft">${turn.tool}, ${when(turn.at)}</span></h2>
        ${longText(turn.text, `${turn.role}'s text`)}${turn.cut ? html`<p class="soft">The text goes on; the export has all of it.</p>` : nothing}</article>`)}${data.turns.length ? nothing : empty("Nothing was said in it yet.")}</section>`;
  },
};
