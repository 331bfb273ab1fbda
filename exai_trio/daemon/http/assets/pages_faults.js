// Alerts and incidents, as far as this daemon has them.
import { html } from "./vendor/lit-html.js";
import { DASH, cut, number } from "./format.js";
import { empty, loginFirst, name, pill, table, when } from "./parts.js";

const optional = (ctx, path) => (ctx.has(path) ? ctx.ask(path) : null);
const KIND = { critical: "bad", high: "bad", medium: "warn" };

export const alerts = {
  title: "Alerts", path: "/alerts", every: 5,
  load: (ctx) => optional(ctx, "/api/alerts"),
  view(ctx, data) {
    const rows = data?.rows ?? data?.alerts ?? [];
    const columns = [["alert", (r) => name(r.alert ?? r.name)], ["state", (r) => (r.firing ? pill(KIND[r.severity] ?? "warn", `fires, ${r.severity}`) : pill("good", "quiet"))], ["says", (r) => cut(r.text ?? DASH)], ["since (UTC)", (r) => when(r.since), "t"],
      ["action", (r) => (ctx.may("changes") ? html`<button @click=${() => ctx.change(`/api/alerts/${encodeURIComponent(r.alert ?? r.name)}/silence`, { for_s: 7200 })} aria-label="silence ${r.alert ?? r.name}">silence for 2 h</button>` : DASH), "n"]];
    return html`<h1>Alerts</h1><section class="card">${table("Alerts", columns, rows, "No alert fires.")}</section>`;
  },
};
export const incidents = {
  title: "Incidents", path: "/incidents", every: 5,
  load: (ctx) => (ctx.may("texts") ? optional(ctx, "/api/incidents") : null),
  view(ctx, data) {
    if (!ctx.may("texts")) return loginFirst(ctx, "incidents");
    const rows = data?.rows ?? data?.incidents ?? [];
    const columns = [["last (UTC)", (r) => when(r.last_occurrence_at), "t"], ["fault", (r) => name(`${r.error_type}: ${r.error_message}`, 160)], ["seen", (r) => number(r.occurrence_count), "n"], ["state", (r) => (r.resolved ? pill("good", "resolved") : pill(KIND[r.severity] ?? "warn", r.state ?? "open"))]];
    return html`<h1>Incidents</h1><section class="card">${data === null ? empty("No incident was recorded.") : table("Incidents", columns, rows, "No incident was recorded.")}</section>`;
  },
};
