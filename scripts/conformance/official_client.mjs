// The official client for TypeScript, in one era, against one endpoint: `node official_client.mjs MODULES URL ERA STEP`.
// STEP is "calls" (a list, an answer, one with progress, a cancel) or "outlives" (a call whose daemon is killed once this has said
// "under way"). Says "ok" at the end; what went wrong goes to stderr, with exit code 1.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, url, era, step] = process.argv.slice(2);
const sdk = await import(pathToFileURL(join(modules, "@modelcontextprotocol/client/dist/index.mjs")));

const mode = { legacy: "legacy", auto: "auto" }[era] ?? { pin: era };
const client = new sdk.Client({ name: "official", version: "1" }, { versionNegotiation: { mode } });

function must(holds, what) {
  if (!holds) throw new Error(`${era}, ${step}: ${what}`);
}

async function echo(prompt, more, options) {
  const answer = await client.callTool({ name: "test_echo", arguments: { prompt, ...more } }, options);
  const said = answer.content[0].text;
  if (answer.isError) throw new Error(said);
  return JSON.parse(said).content;
}

const steps = {
  async calls() {
    const { tools } = await client.listTools();
    must(tools.some((tool) => tool.name === "test_echo"), `the list has ${tools.length} tools, and not test_echo`);
    must((await echo("short")) === "short", "another answer");
    const heard = [];
    const long = await echo("long", { delay_ms: 2500 }, { onprogress: (one) => heard.push(one.progress) });
    must(long === "long", "another answer after a while");
    must(heard.length > 0, "no progress was told");
    must(heard.every((value, at) => at === 0 || value > heard[at - 1]), `progress that does not rise: ${heard}`);
    const many = await Promise.all([...Array(6).keys()].map((n) => echo(`call ${n}`, { delay_ms: 10 * n })));
    must(many.every((said, n) => said === `call ${n}`), `answers of others: ${many}`);
    const leaving = new AbortController();
    setTimeout(() => leaving.abort(), 200);
    const fault = await echo("never", { delay_ms: 20000 }, { signal: leaving.signal }).catch((raised) => raised);
    must(fault instanceof Error, "a cancelled call was answered");
    must((await echo("after")) === "after", "no answer after a cancel");
  },
  async outlives() {
    const asked = echo("lives", { delay_ms: 3000 });
    setTimeout(() => console.log("under way"), 1500); // it has been told that events come
    must((await asked) === "lives", "another answer");
    must((await echo("after")) === "after", "no answer at the next daemon");
  },
};

try {
  // Its own two tries end before a daemon serves again on a busy machine.
  const reconnectionOptions = { initialReconnectionDelay: 500, maxReconnectionDelay: 1000, reconnectionDelayGrowFactor: 1, maxRetries: 60 };
  await client.connect(new sdk.StreamableHTTPClientTransport(new URL(url), { reconnectionOptions }));
  must(era === "auto" || client.getProtocolEra() === (era === "legacy" ? "legacy" : "modern"), `the era is ${client.getProtocolEra()}`);
  await steps[step]();
  await client.close();
  console.log("ok");
} catch (fault) {
  console.error(fault);
  process.exitCode = 1;
}
process.exit();
