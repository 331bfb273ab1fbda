// A chart of uPlot as an element, with its figures as text below. uPlot is the global of its own script.
import { html } from "./vendor/lit-html.js";
import { clock, number } from "./format.js";

const COLOURS = ["--c1", "--c2", "--c3", "--c4"];

class Chart extends HTMLElement {
  #plot; #data; #names = []; #form = number;
  set figures({ names, data, form }) {
    this.#names = names; this.#data = data; this.#form = form;
    if (this.#plot && this.#plot.series.length === data.length) this.#plot.setData(data);
    else this.#draw();
  }
  connectedCallback() {
    this.observer = new ResizeObserver(() => this.#plot?.setSize({ width: this.clientWidth || 300, height: 150 }));
    this.observer.observe(this);
    this.recolour = () => { this.#plot?.destroy(); this.#plot = undefined; this.#draw(); };
    addEventListener("exai-theme", this.recolour);
    this.#draw();
  }
  disconnectedCallback() { this.observer.disconnect(); removeEventListener("exai-theme", this.recolour); this.#plot?.destroy(); this.#plot = undefined; }
  #draw() {
    if (!this.#data || !this.isConnected) return;
    const make = globalThis.uPlot;
    this.#plot?.destroy();
    const style = getComputedStyle(document.documentElement), of = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: of("--soft"), grid: { stroke: of("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui", size: 42 };
    this.#plot = new make({
      width: this.clientWidth || 300, height: 150, legend: { show: false }, cursor: { drag: { x: false, y: false } },
      padding: [6, 4, 0, 0], tzDate: (s) => make.tzDate(new Date(s * 1e3), "Etc/UTC"),
      axes: [{ ...axis, size: 24, space: 70, values: (_, ticks) => ticks.map((at) => stamp(at, ticks.at(-1) - ticks[0])) }, { ...axis, size: 58, values: (_, ticks) => ticks.map((value) => this.#form(value)) }],
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.08 : 1] } },
      series: [{}, ...this.#names.map((label, i) => ({ label, stroke: of(COLOURS[i % 4]), width: 1.5, dash: i === 1 ? [5, 3] : i === 2 ? [2, 3] : undefined, points: { show: false }, spanGaps: false }))],
    }, this.#data, this);
  }
}
const stamp = (at, span) => { const text = new Date(at * 1000).toISOString(); return span > 3 * 86400 ? text.slice(5, 10) : span > 1800 ? text.slice(11, 16) : text.slice(11, 19); };
customElements.define("exai-chart", Chart);

// `data` is [times, values, …], as uPlot has it; null is a gap. `form` writes a value.
export function chart(title, names, data, form = number) {
  const lines = names.map((name, i) => {
    const seen = data[i + 1].filter((value) => value !== null && value !== undefined);
    if (!seen.length) return `${name}: not measured yet`;
    const low = seen.reduce((a, b) => Math.min(a, b)), high = seen.reduce((a, b) => Math.max(a, b));
    return `${name}: now ${form(seen.at(-1))}, from ${form(low)} to ${form(high)}`;
  });
  const step = Math.ceil(data[0].length / 60) || 1;
  const rows = data[0].map((at, i) => [at, ...data.slice(1).map((values) => values[i])]).filter((_, i) => i % step === 0);
  return html`<section class="card chart"><h2>${title}</h2>
    <exai-chart role="img" aria-label="${title}. ${lines.join("; ")}" .figures=${{ names, data, form }}></exai-chart>
    <p>${lines.join(" · ")}</p>
    <details><summary>figures</summary><div class="scroll" tabindex="0" role="group" aria-label="Figures of ${title}"><table>
      <thead><tr><th>UTC</th>${names.map((name) => html`<th class="n">${name}</th>`)}</tr></thead>
      <tbody>${rows.map(([at, ...values]) => html`<tr><td class="t">${clock(at)}</td>${values.map((v) => html`<td class="n">${form(v)}</td>`)}</tr>`)}</tbody>
    </table></div></details></section>`;
}
