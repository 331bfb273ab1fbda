// Figures and times as people read them. What is not measured is a dash, never 0.
export const DASH = "–";
const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);
const plain = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });

export const number = (value) => (known(value) ? (Math.abs(value) < 100 ? fine : plain).format(value) : DASH);
export function compact(value) {
  if (!known(value)) return DASH;
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e4]]) {
    if (Math.abs(value) >= size) return `${fine.format(value / (unit === "k" ? 1e3 : size))}${unit}`;
  }
  return number(value);
}
export function bytes(value) {
  if (!known(value)) return DASH;
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
    if (Math.abs(value) >= size) return `${(value / size).toFixed(1)} ${unit}`;
  }
  return `${plain.format(value)} B`;
}
export function ms(value) {
  if (!known(value)) return DASH;
  if (value < 1000) return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
  return seconds(value / 1000);
}
export function seconds(value) {
  if (!known(value)) return DASH;
  if (value < 60) return `${value.toFixed(1)} s`;
  const [d, h, m] = [Math.floor(value / 86400), Math.floor(value / 3600) % 24, Math.floor(value / 60) % 60];
  return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : `${m} min ${Math.floor(value % 60)} s`;
}
export const percent = (value) => (known(value) ? `${(100 * value).toFixed(1)} %` : DASH);
export const money = (value, currency) => (known(value) ? `${value.toFixed(value < 1 ? 4 : 2)} ${currency || ""}`.trim() : DASH);
export const utc = (text) => (text ? text.replace("T", " ").replace(/(\.\d+)?Z?$/, "") : DASH);
export const local = (text) => (text ? new Date(text).toLocaleString() : "");
export const clock = (unix) => new Date(unix * 1000).toISOString().slice(11, 19);
// What clients wrote may be one word of a megabyte.
export const cut = (text, most = 200) => (String(text ?? "").length > most ? `${String(text).slice(0, most)}…` : String(text ?? ""));
