// What goes wrong: alerts, incidents, and what the auditor observes.
import { html, nothing } from "./vendor/lit-html.js";
import { DASH, cut, money, ms, number, percent, seconds } from "./format.js";
import { empty, facts, filters, loginFirst, longText, name, pill, table, when } from "./parts.js";
import { wish, wished } from "./notify.js";

const KIND = { critical: "bad", high: "bad", medium: "warn", warning: "warn" };
const severity = (of) => pill(KIND[of] ?? "", of);
const admin = (ctx) => ctx.may("administration");
const TABS = [["incidents", "/incidents", "Incidents"], ["observations", "/incidents?tab=observations", "Observations"]];
const tabs = (shown) => html`<nav class="tabs" aria-label="What is shown">${TABS.map(([key, path, title]) => html`<a href=${path} aria-current=${key === shown ? "page" : nothing}>${title}</a>`)}</nav>`;
const older = (ctx, data, path) => (data?.next ? html`<button class="more" @click=${async () => { const next = await ctx.ask(`${path}&before=${encodeURIComponent(data.next)}`); ctx.show({ ...data, rows: [...data.rows, ...next.rows], next: next.next, older: true }); }}>older</button>` : nothing);

const FOR = [[3600, "1 h"], [7200, "2 h"], [86400, "1 day"], [604800, "1 week"]];
const silenceable = (ctx, rule) => rule.silenced_until
  ? html`<button @click=${() => ctx.change(`/api/alerts/${rule.name}/unsilence`)} aria-label="unsilence ${rule.name}">unsilence</button>`
  : html`<select aria-label="silence ${rule.name}" @change=${(e) => { const for_s = Number(e.target.value); e.target.value = ""; if (for_s) ctx.change(`/api/alerts/${rule.name}/silence`, { for_s }); }}><option value="">silence for…</option>${FOR.map(([s, text]) => html`<option value=${s}>${text}</option>`)}</select>`;

export const alerts = {
  title: "Alerts", path: "/alerts", needs: "/api/alerts", every: 5,
  load: (ctx) => (ctx.has("/api/alerts") ? ctx.ask("/api/alerts") : { rows: [], rules: [] }),
  view(ctx, data) {
    if (!data) return empty("reading…");
    const firing = (rule) => data.rows.filter((row) => row.name === rule.name);
    const columns = [
      ["alert", (r) => html`<a href="/alerts?name=${r.name}">${r.name}</a>`], ["severity", (r) => severity(r.severity)], ["what", (r) => name(r.subject || DASH, 60)], ["says", (r) => cut(r.text)],
      ["value", (r) => number(r.value), "n"], ["since (UTC)", (r) => when(r.since), "t"], ["heard of", (r) => (r.silenced ? pill("warn", "silenced") : "yes")],
    ];
    const rules = [
      ["alert", (r) => html`<a href="/alerts?name=${r.name}">${r.name}</a>`], ["state", (r) => (firing(r).length ? pill(KIND[r.severity] ?? "warn", "fires") : pill("good", "quiet"))], ["severity", (r) => r.severity],
      ["silenced until (UTC)", (r) => (r.silenced_until ? when(r.silenced_until) : DASH), "t"], ["action", (r) => (admin(ctx) ? silenceable(ctx, r) : nothing), "n"],
    ];
    const one = data.rules.find((rule) => rule.name === ctx.query.get("name"));
    return html`<div class="head"><h1>Alerts</h1>${"Notification" in globalThis ? html`<button @click=${() => wish(ctx)} aria-pressed=${wished()}>${wished() ? "no notifications" : "notify me here"}</button>` : nothing}</div>
      ${one ? html`<section class="card" id="alert"><div class="head"><h2>${one.name}</h2><a href="/alerts">all alerts</a></div><p>${one.about}.</p>
        ${facts({ severity: severity(one.severity), "fires above": number(one.fires), "clears at": number(one.clears), after: seconds(one.for_s), "silenced until": one.silenced_until ? when(one.silenced_until) : "not silenced", now: firing(one).length ? firing(one).map((row) => html`<div>${row.subject ? html`${name(row.subject, 60)}: ` : nothing}${number(row.value)} since ${when(row.since)}</div>`) : pill("good", "quiet") })}
        ${admin(ctx) ? html`<p>${silenceable(ctx, one)}</p>` : nothing}</section>` : nothing}
      <section class="card"><h2>Firing</h2>${table("Firing alerts", columns, data.rows, "No alert fires.")}</section>
      <section class="card"><h2>All</h2>${table("Alerts", rules, data.rules, "There are no alerts here.")}</section>`;
  },
};

const KINDS = [["", "any"], ["bug", "bug of EXAI"], ["world", "trouble around it"]];
const OPEN = [["", "open"], ["1", "resolved"], ["all", "all"]];
const state = (r) => (r.resolved ? pill("good", "resolved") : html`${pill(KIND[r.severity] ?? "warn", r.state === "waiting" ? "open" : r.state)}${r.reopened ? html` ${pill("warn", "came back")}` : nothing}`);
const asked = (ctx) => `/api/incidents?${new URLSearchParams([...["q", "kind", "resolved"].map((key) => [key, ctx.query.get(key) ?? ""])])}`;
const OBSERVED = "/api/auditor/observations?limit=50";
const isObserved = (ctx) => ctx.query.get("tab") === "observations";

export const incidents = {
  title: "Incidents", path: "/incidents", needs: "/api/incidents", every: 5,
  merge: (old, fresh) => (old?.older && old.tab === fresh?.tab ? old : fresh),
  async load(ctx) {
    if (!ctx.has("/api/incidents")) return null;
    return isObserved(ctx) ? { ...(await ctx.ask(OBSERVED)), tab: "observations" } : { ...(await ctx.ask(asked(ctx))), tab: "incidents" };
  },
  view(ctx, data) {
    if (isObserved(ctx)) return observed(ctx, data);
    const columns = [
      ["last (UTC)", (r) => when(r.last_occurrence_at), "t"], ["fault", (r) => (admin(ctx) ? html`<a href="/incidents/${r.id}">${name(`${r.error_type}: ${r.error_message}`, 160)}</a>` : name(`${r.error_type}: ${r.error_message}`, 160))],
      ["kind", (r) => r.kind], ["severity", (r) => severity(r.severity)], ["seen", (r) => number(r.occurrence_count), "n"], ["first (UTC)", (r) => when(r.created_at), "t"], ["state", state],
    ];
    return html`<h1>Incidents</h1>${tabs("incidents")}${filters(ctx, [["q", "with the text"], ["kind", "kind", KINDS], ["resolved", "show", OPEN]])}
      <section class="card">${data?.tab === "incidents" ? html`${table("Incidents", columns, data.rows, "No incident fits. A fault of EXAI's own, or a trouble, would be here by itself.", admin(ctx) ? (r) => `/incidents/${r.id}` : undefined)}${older(ctx, data, asked(ctx))}` : empty(data === null ? "Nothing of this is kept here." : "reading…")}</section>`;
  },
};

const observed = (ctx, data) => html`<h1>Incidents</h1>${tabs("observations")}<section class="card"><h2>What the auditor observes</h2>${data?.tab === "observations" ? html`${table("Observations", [
  ["when (UTC)", (r) => when(r.at), "t"], ["severity", (r) => severity(r.severity)], ["category", (r) => r.category], ["says", (r) => name(r.text, 500)],
  ["rests on", (r) => Object.entries(r.figures).map(([key, value]) => html`<div>${key}: ${number(value)}</div>`)],
  ["action", (r) => (r.acknowledged ? pill("good", `seen by ${r.acknowledged_by}`) : admin(ctx) ? html`<button @click=${() => ctx.change(`/api/auditor/observations/${encodeURIComponent(r.id)}/acknowledge`)} aria-label="acknowledge ${cut(r.text, 40)}">acknowledge</button>` : nothing), "n"],
], data.rows, data.enabled ? "The auditor has observed nothing yet: it looks once 20 calls have ended." : "The auditor is off: AUDITOR_ENABLED=true has a model look at figures now and then.")}${older(ctx, data, OBSERVED)}` : empty(data === null ? "Nothing of this is kept here." : "reading…")}</section>`;

const list = (title, lines) => (lines?.length ? html`<section class="card wide"><h2>${title}</h2><ul class="log" tabindex="0" aria-label=${title}>${lines.map((line) => html`<li>${cut(line, 2000)}</li>`)}</ul></section>` : nothing);
export const oneIncident = {
  title: "Incident", path: "/incidents/", every: 3,
  load: (ctx) => (admin(ctx) ? ctx.ask(`/api/incidents/${encodeURIComponent(ctx.id)}`) : null),
  view(ctx, i) {
    if (!admin(ctx)) return loginFirst(ctx, "one incident");
    if (!i) return empty("reading…");
    const base = `/api/incidents/${encodeURIComponent(i.id)}`, c = i.error_context, found = i.investigation_result, fix = i.fix_recommendation;
    return html`<div class="head"><h1>${name(i.error_type || "Trouble", 100)} ${state(i)}</h1><div class="tools">
      ${i.resolved ? html`<button @click=${() => ctx.change(`${base}/reopen`)}>reopen</button>` : html`<button @click=${() => ctx.confirm("Have a model explain it? Its trace, log lines and figures are sent there, which may cost money.", () => ctx.change(`${base}/investigate`))}>investigate</button>
      <button class="primary" @click=${() => ctx.prompt("Resolve it. From the version on, if one is named, it is back if it is seen again.", (notes, version) => ctx.change(`${base}/resolve`, { notes, version }), ["note", "gone from version"])}>resolve</button>`}</div></div>
      <p>${name(i.error_message, 600)}</p>
      <div class="grid">
        <section class="card"><h2>Occurrences</h2>${facts({ seen: number(i.occurrence_count), first: when(i.created_at), last: when(i.last_occurrence_at), "came back": number(i.reopened), version: i.version, kind: i.kind, severity: severity(i.severity), process: c.process ?? DASH, "logged as": cut(c.phrase ?? DASH), id: i.id })}</section>
        <section class="card"><h2>History</h2>${facts({ recorded: when(i.created_at), "asked to be explained": i.requested ? "yes" : "no", explained: i.investigation_result ? `by ${i.model_used}` : i.attempts ? `${number(i.attempts)} tries` : "not yet", resolved: i.resolved_at ? html`${when(i.resolved_at)} by ${name(i.resolved_by, 40)}` : DASH, "gone from version": i.resolved_in || DASH, note: name(i.resolution_notes || DASH, 2000) })}</section>
        <section class="card"><h2>Calls</h2>${table("Calls in which it was seen", [["when (UTC)", (r) => when(r.at), "t"], ["call", (r) => (ctx.has("/api/calls/{id}") ? html`<a href="/calls/${encodeURIComponent(r.correlation_id)}">${name(r.correlation_id)}</a>` : name(r.correlation_id))]], i.calls, "It was seen in no call, or before calls were noted.")}</section>
        ${found ? html`<section class="card wide" id="explained"><h2>What a model thinks</h2><p>${name(found.root_cause, 4000)}</p>${facts({ confidence: percent(found.confidence), "rests on": found.grounded ? found.evidence.join(", ") : pill("warn", "nothing that it was shown"), "struck out": number(found.struck_out), model: i.model_used, took: ms(i.investigation_duration_ms), tokens: number(i.tokens), cost: money(i.cost) })}
          ${fix ? html`<h2>What to do</h2><p>${name(fix.summary, 2000)}</p><ol>${(fix.steps ?? []).map((step) => html`<li>${name(step, 2000)}</li>`)}</ol>${fix.patch ? longText(fix.patch, "patch") : nothing}${fix.patch_left_out ? html`<p class="soft">A patch was left out: ${fix.patch_left_out}.</p>` : nothing}` : nothing}</section>` : nothing}
        <section class="card wide"><h2>Trace</h2>${c.trace ? longText(c.trace, "trace") : empty("It was logged without an exception.")}</section>
        ${list("Log lines before it", c.log)}
        <section class="card"><h2>Figures</h2>${facts(Object.fromEntries(Object.entries(c.figures ?? {}).map(([key, value]) => [key, number(value)])))}</section>
      </div>`;
  },
};
