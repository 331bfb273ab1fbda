// Usage, storage, and the daemon itself.
import { html, nothing } from "./vendor/lit-html.js";
import { DASH, bytes, compact, cut, money, number, seconds } from "./format.js";
import { empty, facts, filters, loginFirst, name, pill, table, when } from "./parts.js";

const KEYS = [["model", "model"], ["tool", "tool"], ["day", "day"], ["model,tool", "model and tool"]];
const PERSONAL = [["principal", "principal"], ["project", "project"]];
const DAYS = [["", "7 days"], ["1", "1 day"], ["30", "30 days"]];
export const usage = {
  title: "Usage", path: "/usage", every: 30,
  load: (ctx) => ctx.ask(`/api/usage?by=${ctx.query.get("by") || "model"}&since=${Math.floor(Date.now() / 1000) - 86400 * (Number(ctx.query.get("days")) || 7)}`),
  view(ctx, data) {
    const by = data?.by ?? [], rows = data?.rows ?? [];
    const columns = [...by.map((key) => [key, (r) => name(r[key] || DASH, 60)]), ...[["calls", "calls"], ["failures", "failed"]].map(([key, label]) => [label, (r) => number(r[key]), "n"]),
      ...[["input_tokens", "tokens in"], ["cached_tokens", "cached"], ["output_tokens", "tokens out"], ["reasoning_tokens", "reasoning"]].map(([key, label]) => [label, (r) => compact(r[key]), "n"]),
      ["cost", (r) => (r.currency ? money(r.cost, r.currency) : DASH), "n"], ["without a price", (r) => number(r.unpriced), "n"]];
    const unpriced = rows.reduce((sum, r) => sum + r.unpriced, 0);
    return html`<h1>Usage</h1>${filters(ctx, [["by", "by", [["", "model"], ...KEYS.slice(1), ...(ctx.may("texts") ? PERSONAL : [])]], ["days", "over", DAYS]])}
      ${unpriced ? html`<p class="notice">${number(unpriced)} calls had no known price; a price is given in EXAI_PROVIDERS_FILE.</p>` : nothing}
      <section class="card">${data ? table("Usage", columns, rows, "No call has ended in this time.") : empty("reading…")}</section>`;
  },
};

const STAGES = { expire: "conversations that are over", release: "files that nobody refers to any more", condemn: "uploads that may go", delete: "what is to be deleted, here and at providers", reconcile: "what is kept, compared with what is there" };
export const storage = {
  title: "Storage", path: "/storage", every: 10,
  load: async (ctx) => ({ storage: await ctx.ask("/api/storage"), audit: ctx.may("texts") ? (await ctx.ask("/api/storage/audit")).rows : null }),
  merge: (old, fresh) => ({ ...fresh, report: old?.report }),
  view(ctx, data) {
    if (!data) return empty("reading…");
    const s = data.storage, r = data.report;
    const run = (stage, dry_run) => ctx.change("/api/storage/cleanup", { stage, dry_run }, (report) => ctx.show({ ...data, report }));
    return html`<h1>Storage</h1><div class="grid">
      <section class="card"><h2>Store</h2>${facts({ backend: s.backend, durability: s.durability, state: s.fault ? pill("bad", cut(s.fault, 200)) : s.disk_full ? pill("bad", "the disk is full") : pill("good", "takes writes"), "set aside": s.damaged_file, bus: bytes(s.bus_bytes), "files, at most": s.cleanup ? bytes(s.cleanup.files_bytes) : DASH })}</section>
      <section class="card"><h2>Cleaning up</h2>${s.cleanup ? html`${facts({ "grace": seconds(s.cleanup.grace_s), "history kept": seconds(s.cleanup.history_s) })}
        ${ctx.may("changes") ? html`<table><tbody>${s.cleanup.stages.map((stage) => html`<tr><td>${stage}<br><span class="soft">${STAGES[stage]}</span></td><td class="n"><button @click=${() => run(stage, true)} aria-label="look at ${stage}">look</button> <button class="danger" @click=${() => ctx.confirm(`Run ${stage} now? What it removes is gone.`, () => run(stage, false))} aria-label="run ${stage}">run</button></td></tr>`)}</tbody></table>` : html`<p class="soft">Log in to run a stage.</p>`}` : empty("Nothing is kept that could be cleaned up.")}</section>
      ${r ? html`<section class="card wide" aria-live="polite"><h2>${r.dry_run ? "Would be changed" : "Changed"}</h2>${Object.keys(r.stages).length ? facts(Object.fromEntries(Object.entries(r.stages).map(([stage, one]) => [stage, `${number(one.changed)} rows, ${bytes(one.bytes)}`]))) : empty("Nothing.")}${r.faults.map((fault) => html`<p class="notice bad">${fault}</p>`)}</section>` : nothing}
      ${data.audit ? html`<section class="card wide"><h2>What was cleaned up last</h2>${table("Cleaned up", [["when (UTC)", (e) => when(e.at), "t"], ["stage", (e) => e.stage], ["what", (e) => name(e.subject, 60)], ["why", (e) => cut(e.why)], ["freed", (e) => bytes(e.bytes), "n"]], data.audit, "Nothing was cleaned up yet.")}</section>` : nothing}
    </div>`;
  },
};

export const daemon = {
  title: "Daemon", path: "/daemon", every: 3,
  load: async (ctx) => (ctx.may("texts") ? { settings: await ctx.ask("/api/settings"), logs: (await ctx.ask(`/api/logs?q=${encodeURIComponent(ctx.query.get("q") ?? "")}`)).lines } : null),
  view(ctx, data) {
    if (!ctx.may("texts")) return loginFirst(ctx, "settings and the log");
    if (!data) return empty("reading…");
    const changed = ctx.query.get("settings") === "changed";
    const rows = data.settings.rows.filter((row) => !changed || row.origin !== "default");
    return html`<h1>Daemon</h1><div class="grid">
      <section class="card wide"><h2>Log</h2>${filters(ctx, [["q", "with the text"]])}${data.logs.length ? html`<ul class="log" tabindex="0" aria-label="Log lines">${data.logs.map((line) => html`<li>${cut(line, 2000)}</li>`)}</ul>` : empty("The log has no such line.")}</section>
      <section class="card"><h2>Versions</h2>${facts(data.settings.versions)}</section>
      <section class="card wide"><div class="head"><h2>Settings</h2>${filters(ctx, [["settings", "show", [["", "all"], ["changed", "set by you"]]]])}</div>
        ${table("Settings", [["setting", (r) => html`<code>${r.variable}</code>`], ["value", (r) => name(r.value || DASH, 120)], ["from", (r) => html`${r.origin}${r.needs_restart ? html` ${pill("warn", "needs a restart")}` : nothing}`]], rows, "Everything is at its default.")}</section>
    </div>`;
  },
};
