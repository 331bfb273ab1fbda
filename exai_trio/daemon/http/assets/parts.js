// Parts that several pages show. What clients and models wrote reaches the page as text nodes alone.
import { html, nothing } from "./vendor/lit-html.js";
import { cut, local, utc, DASH } from "./format.js";

export const tile = (name, value, note) => html`<div class="tile"><dt>${name}</dt><dd>${value}${note ? html` <small>${note}</small>` : nothing}</dd></div>`;
export const facts = (pairs) => html`<dl class="facts">${Object.entries(pairs).map(([name, value]) => html`<dt>${name}</dt><dd>${value ?? DASH}</dd>`)}</dl>`;
export const when = (text) => html`<time datetime=${text ?? ""} title=${local(text)}>${utc(text)}</time>`;
export const name = (text, most = 80) => html`<bdi class="name" title=${cut(text, 400)}>${cut(text, most)}</bdi>`;
export const empty = (text) => html`<p class="empty">${text}</p>`;
const SIGNS = { good: "●", warn: "▲", bad: "■", "": "○" };
export const pill = (kind, text) => html`<span class="pill ${kind}"><span aria-hidden="true">${SIGNS[kind]}</span>${text}</span>`;
export const statusPill = (status) => pill({ healthy: "good", degraded: "bad", draining: "warn" }[status] ?? "", status);
export const outcome = (code) => (code ? pill(code === "CANCELLED" ? "warn" : "bad", code) : pill("good", "ok"));

// `columns` are [title, cell, kind]; `open` is the link of a row.
export const table = (label, columns, rows, none, open) => rows.length ? html`<div class="scroll" tabindex="0" role="group" aria-label=${label}><table>
  <thead><tr>${columns.map(([title, , kind]) => html`<th class=${kind ?? ""} scope="col">${title}</th>`)}</tr></thead>
  <tbody>${rows.map((row) => html`<tr data-row=${open ? open(row) : nothing}>${columns.map(([, cell, kind]) => html`<td class=${kind ?? ""}>${cell(row)}</td>`)}</tr>`)}</tbody>
</table></div>` : empty(none);

// A text may be a megabyte: the first part of it is shown, the rest on request.
export const longText = (text, label = "text") => {
  const whole = String(text ?? "");
  const part = html`<pre class="text" tabindex="0" role="group" aria-label=${label}>${cut(whole, 4000)}</pre>`;
  return whole.length <= 4000 ? part : html`${part}<details><summary>all ${whole.length.toLocaleString("en-US")} characters</summary><pre class="text" tabindex="0" role="group" aria-label="all of it">${whole}</pre></details>`;
};

export const filters = (ctx, fields) => html`<form class="filters" role="search" aria-label=${fields.map(([, label]) => label).join(", ")} @submit=${(e) => e.preventDefault()}>${fields.map(([key, label, options]) => html`<label>${label}${options
  ? html`<select name=${key} @change=${(e) => ctx.filter(key, e.target.value)}>${options.map(([value, text]) => html`<option value=${value} ?selected=${(ctx.query.get(key) ?? "") === value}>${text}</option>`)}</select>`
  : html`<input name=${key} type="search" autocomplete="off" .value=${ctx.query.get(key) ?? ""} @change=${(e) => ctx.filter(key, e.target.value.trim())}>`}</label>`)}
  ${fields.some(([key]) => ctx.query.get(key)) ? html`<button type="button" @click=${() => ctx.filterAll({})}>clear</button>` : nothing}</form>`;

export const loginFirst = (ctx, what) => ctx.may("texts") ? html`<section class="card">${empty(`Your role does not show you ${what}: that is the home owner's.`)}</section>` : html`<section class="card"><h2>Log in to see ${what}</h2>
  <p>What clients and models wrote is shown to whoever has logged in, also on this machine.</p>
  <p><button class="primary" @click=${ctx.login}>Log in</button> <span class="soft">or run <code>exai dashboard</code></span></p></section>`;
