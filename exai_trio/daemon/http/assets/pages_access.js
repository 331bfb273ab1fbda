// The access log: who came, who was refused and who changed what.
import { html } from "./vendor/lit-html.js";
import { DASH } from "./format.js";
import { empty, filters, loginFirst, name, pill, table, when } from "./parts.js";

export const access = {
  title: "Access", path: "/access", needs: "/api/access", every: 5,
  load: (ctx) => (ctx.may("administration") ? ctx.ask(`/api/access?limit=200&of=${encodeURIComponent(ctx.query.get("of") ?? "")}`) : null),
  view(ctx, data) {
    if (!ctx.may("administration")) return loginFirst(ctx, "who came and who changed what");
    const columns = [
      ["when (UTC)", (r) => when(r.t), "t"], ["event", (r) => (r.event === "refused" ? pill("warn", `refused, ${r.count} times`) : name(r.event, 40))],
      ["who", (r) => name(r.who ?? DASH, 60)], ["role", (r) => r.role ?? DASH], ["from", (r) => name(r.address ?? r.by ?? DASH, 40)],
      ["what", (r) => name(r.what ?? DASH, 60)], ["on", (r) => name(r.on ?? DASH, 60)], ["result", (r) => name(r.result ?? DASH, 40)],
    ];
    return html`<h1>Access</h1>${filters(ctx, [["of", "of"]])}<section class="card">${data ? table("Access", columns, data.rows, "The access log has no such line.") : empty("reading…")}</section>`;
  },
};
