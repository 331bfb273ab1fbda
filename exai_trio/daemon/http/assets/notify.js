// Notifications of the browser for alerts, where its user allows them.
const KEY = "exai-notify";
const allowed = () => "Notification" in globalThis && Notification.permission === "granted";
const kept = () => { try { return localStorage.getItem(KEY) === "1"; } catch { return false; } };
const keep = (on) => { try { on ? localStorage.setItem(KEY, "1") : localStorage.removeItem(KEY); } catch { /* private mode */ } };

export const wished = () => allowed() && kept();
export async function wish(ctx) {
  if (wished()) keep(false);
  else if (await Notification.requestPermission() === "granted") keep(true);
  else ctx.say("this browser does not allow notifications of this page");
  ctx.renew();
}

// An alert moved: whoever wants to hear of it does, unless it is silenced.
export async function moved(ask, event) {
  if (!wished() || !event.firing) return;
  const { rows } = await ask("/api/alerts");
  if (!rows.some((row) => row.name === event.alert && !row.silenced)) return;
  new Notification(`EXAI: ${event.severity} alert ${event.alert}`, { body: rows.find((row) => row.name === event.alert).text, tag: event.alert });
}
