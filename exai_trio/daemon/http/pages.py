"""The two monitoring pages: plain HTML that reads /api/health every two seconds.

No server-side state.
"""

_FRAME = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>EXAI · {title}</title>
<style>
  body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; color: #222; }}
  table {{ border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }}
  th, td {{ text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #ddd; }}
  td.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
  #away {{ color: #b00; }}
</style>
<h1>{title}</h1>
<p id="state">reading…</p>
<div id="tables"></div>
<script>
const shown = {shown};
function rows(facts, prefix) {{
  return Object.entries(facts).flatMap(([name, value]) =>
    value !== null && typeof value === "object"
      ? rows(value, prefix + name + " · ")
      : [[prefix + name, value]]);
}}
function table(title, facts) {{
  const element = document.createElement("table");
  element.createCaption().textContent = title;
  for (const [name, value] of rows(facts, "")) {{
    const row = element.insertRow();
    row.insertCell().textContent = name;
    const cell = row.insertCell();
    cell.textContent = String(value);
    if (typeof value === "number") cell.className = "number";
  }}
  return element;
}}
async function refresh() {{
  const state = document.getElementById("state");
  try {{
    const health = await (await fetch("/api/health")).json();
    state.textContent = `${{health.status}} · version ${{health.version}} · up ${{health.uptime_human}}`;
    state.id = "state";
    document.getElementById("tables").replaceChildren(
      ...shown.map(name => table(name, health[name] ?? {{}})));
  }} catch (fault) {{
    state.textContent = "the daemon does not answer";
  }}
}}
refresh();
setInterval(refresh, 2000);
</script>
</html>
"""

PAGES = {
    "/semaphore_monitor.html": _FRAME.format(title="Permits", shown='["permits", "calls"]'),
    "/monitoring_dashboard.html": _FRAME.format(
        title="Dashboard", shown='["calls", "permits", "providers"]'
    ),
}
