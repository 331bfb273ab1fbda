// Usage, storage, and the daemon itself.
import { html, nothing } from "./vendor/lit-html.js";
import { DASH, bytes, compact, cut, money, ms, number, percent, seconds } from "./format.js";
import { empty, facts, filters, loginFirst, name, pill, table, when } from "./parts.js";

const KEYS = [["model", "model"], ["tool", "tool"], ["day", "day"], ["model,tool", "model and tool"]];
const PERSONAL = [["principal", "principal"], ["project", "project"]];
const DAYS = [["", "7 days"], ["1", "1 day"], ["30", "30 days"]];
export const usage = {
  title: "Usage", path: "/usage", needs: "/api/usage", every: 30,
  async load(ctx) {
    const used = await ctx.ask(`/api/usage?by=${ctx.query.get("by") || "model"}&since=${Math.floor(Date.now() / 1000) - 86400 * (Number(ctx.query.get("days")) || 7)}`);
    return { ...used, budgets: ctx.may("texts") ? (await ctx.ask("/api/budgets")).rows : null };
  },
  view(ctx, data) {
    const by = data?.by ?? [], rows = data?.rows ?? [];
    const columns = [...by.map((key) => [key, (r) => name(r[key] || DASH, 60)]), ...[["calls", "calls"], ["failures", "failed"]].map(([key, label]) => [label, (r) => number(r[key]), "n"]),
      ...[["input_tokens", "tokens in"], ["cached_tokens", "cached"], ["output_tokens", "tokens out"], ["reasoning_tokens", "reasoning"]].map(([key, label]) => [label, (r) => compact(r[key]), "n"]),
      ["cost", (r) => (r.currency ? money(r.cost, r.currency) : DASH), "n"], ["without a price", (r) => number(r.unpriced), "n"]];
    const unpriced = rows.reduce((sum, r) => sum + r.unpriced, 0);
    return html`<h1>Usage</h1>${filters(ctx, [["by", "by", [["", "model"], ...KEYS.slice(1), ...(ctx.may("administration") ? PERSONAL : [])]], ["days", "over", DAYS]])}
      ${unpriced ? html`<p class="notice">${number(unpriced)} calls had no known price; a price is given in EXAI_PROVIDERS_FILE.</p>` : nothing}
      <section class="card">${data ? table("Usage", columns, rows, "No call has ended in this time.") : empty("reading…")}</section>
      ${data?.budgets ? html`<section class="card"><h2>Budgets of today, and quotas</h2>${table("Budgets", [["whose", (r) => (r.principal ? name(r.principal, 60) : "all together")], ["tokens today", spent], ["at most", (r) => most(r.quota.tokens_per_day), "n"], ["running", (r) => number(r.used.concurrent), "n"], ["at most", (r) => most(r.quota.concurrent), "n"], ["calls in a minute", (r) => number(r.used.calls_per_minute), "n"], ["at most", (r) => most(r.quota.calls_per_minute), "n"]], data.budgets, "Nothing is limited. EXAI_TOKENS_DAY bounds all together; exai token gives quotas.")}</section>` : nothing}`;
  },
};

const most = (value) => (value ? compact(value) : "no limit");
const spent = ({ used, quota }) => {
  const tokens = used.tokens_per_day, share = tokens / quota.tokens_per_day;
  return tokens === null || !quota.tokens_per_day ? compact(tokens) : html`${compact(tokens)} ${pill(share >= 1 ? "bad" : share >= 0.8 ? "warn" : "good", percent(share))}`;
};

const STAGES = { expire: "conversations that are over", release: "files that nobody refers to any more", condemn: "uploads that may go", delete: "what is to be deleted, here and at providers", reconcile: "what is kept, compared with what is there" };
export const storage = {
  title: "Storage", path: "/storage", needs: "/api/storage", every: 10,
  load: async (ctx) => ({ storage: await ctx.ask("/api/storage"), audit: ctx.may("administration") ? (await ctx.ask("/api/storage/audit")).rows : null, files: ctx.may("texts") ? (await ctx.ask("/api/storage/files")).rows : null }),
  merge: (old, fresh) => ({ ...fresh, report: old?.report }),
  view(ctx, data) {
    if (!data) return empty("reading…");
    const s = data.storage, r = data.report;
    const ask = (stage, dry_run, then) => ctx.change("/api/storage/cleanup", { stage, dry_run }, (report) => { ctx.show({ ...ctx.last, report }); then?.(report.stages[stage] ?? { changed: 0, bytes: 0 }); });
    const run = (stage) => ask(stage, true, (found) => ctx.confirm(`Run ${stage} now? It changes ${number(found.changed)} rows of ${bytes(found.bytes)}; what it removes is gone.`, () => ask(stage, false)));
    return html`<h1>Storage</h1><div class="grid">
      <section class="card"><h2>Store</h2>${facts({ backend: s.backend, durability: s.durability, state: s.fault ? pill("bad", cut(s.fault, 200)) : s.disk_full ? pill("bad", "the disk is full") : pill("good", "takes writes"), "set aside": s.damaged_file, database: bytes(s.stored_bytes.database), files: bytes(s.stored_bytes.files), "calls open in the journal": number(ctx.overview?.meters.journal_open_calls), bus: bytes(s.bus_bytes), logs: bytes(s.stored_bytes.logs), "uploads spared": percent(s.hit_rate), "bytes spared": bytes(s.bytes_saved), ...(s.outbox ? { "outbox": `${number(s.outbox.entries)} entries, the oldest ${seconds(s.outbox.oldest_s)} old` } : {}), "files, at most": s.cleanup ? bytes(s.cleanup.files_bytes) : DASH })}</section>
      ${s.daemons ? html`<section class="card wide"><h2>Daemons on this database</h2>${table("Daemons", [["daemon", (d) => name(d.name, 60)], ["address", (d) => name(d.address, 60)], ["version", (d) => d.version], ["state", (d) => (d.lease_s <= 0 ? pill("bad", "gone") : d.draining ? pill("warn", "leaving") : pill("good", "serves"))], ["lease", (d) => seconds(Math.max(0, d.lease_s)), "n"], ["runs calls", (d) => number(d.calls), "n"], ["has sessions", (d) => number(d.sessions), "n"]], s.daemons, "None has a lease yet.")}</section>` : nothing}
      <section class="card wide"><h2>Cleaning up</h2>${s.cleanup ? html`${facts({ "last run": when(s.cleanup.last_at), "next run": when(s.cleanup.next_at), "grace": seconds(s.cleanup.grace_s), "history kept": seconds(s.cleanup.history_s) })}
        ${table("Stages", [["stage", (r) => html`${r.stage}<br><span class="soft">${STAGES[r.stage]}</span>`], ["last (UTC)", (r) => when(r.last_at), "t"], ["removed", (r) => number(r.removed), "n"], ["freed", (r) => bytes(r.freed_bytes), "n"],
          ...(ctx.may("administration") ? [["action", (r) => html`<button @click=${() => ask(r.stage, true)} aria-label="look at ${r.stage}">look</button> <button class="danger" @click=${() => run(r.stage)} aria-label="run ${r.stage}">run</button>`, "n"]] : [])], s.cleanup.stages, "")}` : empty("Nothing is kept that could be cleaned up.")}</section>
      ${r ? html`<section class="card wide" aria-live="polite"><h2>${r.dry_run ? "Would be changed" : "Changed"}</h2>${Object.keys(r.stages).length ? facts(Object.fromEntries(Object.entries(r.stages).map(([stage, one]) => [stage, `${number(one.changed)} rows, ${bytes(one.bytes)}`]))) : empty("Nothing.")}${r.faults.map((fault) => html`<p class="notice bad">${fault}</p>`)}</section>` : nothing}
      ${data.files ? html`<section class="card wide"><h2>Files of yours at providers</h2>${table("Files", [["file", (f) => name(f.filename, 60)], ["provider", (f) => f.provider], ["purpose", (f) => f.purpose], ["size", (f) => bytes(f.bytes), "n"], ["references", (f) => number(f.references), "n"], ["used (UTC)", (f) => when(f.used_at), "t"], ["uploaded (UTC)", (f) => when(f.uploaded_at), "t"]], data.files, "No file was given to a provider.")}</section>` : nothing}
      ${data.audit ? html`<section class="card wide"><h2>What was cleaned up last</h2>${table("Cleaned up", [["when (UTC)", (e) => when(e.at), "t"], ["stage", (e) => e.stage], ["what", (e) => name(e.subject, 60)], ["why", (e) => cut(e.why)], ["freed", (e) => bytes(e.bytes), "n"]], data.audit, "Nothing was cleaned up yet.")}</section>` : nothing}
    </div>`;
  },
};

export const daemon = {
  title: "Daemon", path: "/daemon", needs: "/api/settings", every: 3,
  async load(ctx) {
    if (!ctx.may("texts")) return null;
    const q = encodeURIComponent(ctx.query.get("q") ?? "");
    return { settings: await ctx.ask("/api/settings"), logs: (await ctx.ask(`/api/logs?q=${q}`)).lines, jobs: (await ctx.ask("/api/jobs")).rows };
  },
  view(ctx, data) {
    if (!ctx.may("texts")) return loginFirst(ctx, "settings and the log");
    if (!data) return empty("reading…");
    const changed = ctx.query.get("settings") === "changed";
    const rows = data.settings.rows.filter((row) => !changed || row.origin !== "default");
    return html`<h1>Daemon</h1><div class="grid">
      <section class="card wide"><h2>Log</h2>${filters(ctx, [["q", "with the text"]])}${data.logs.length ? html`<ul class="log" tabindex="0" aria-label="Log lines">${data.logs.map((line) => html`<li>${cut(line, 2000)}</li>`)}</ul>` : empty("The log has no such line.")}</section>
      <section class="card wide"><h2>Jobs</h2>${table("Jobs", [["job", (j) => j.job], ["result", (j) => pill({ ok: "good", hindered: "warn" }[j.result] ?? "bad", j.result)], ["fault", (j) => cut(j.fault || DASH)], ["took", (j) => ms(j.duration_ms), "n"], ["runs", (j) => number(j.runs), "n"], ["of them not ok", (j) => number(j.faults), "n"], ["last (UTC)", (j) => when(j.last_at), "t"], ["next (UTC)", (j) => when(j.next_at), "t"]], data.jobs, "No job has run yet.")}</section>
      <section class="card"><h2>Versions</h2>${facts(data.settings.versions)}</section>
      <section class="card wide"><div class="head"><h2>Settings</h2>${filters(ctx, [["settings", "show", [["", "all"], ["changed", "set by you"]]]])}</div>
        ${table("Settings", [["setting", (r) => html`<code>${r.variable}</code>`], ["value", (r) => name(r.value || DASH, 120)], ["from", (r) => html`${r.origin}${r.needs_restart ? html` ${pill("warn", "needs a restart")}` : nothing}`]], rows, "Everything is at its default.")}</section>
    </div>`;
  },
};
