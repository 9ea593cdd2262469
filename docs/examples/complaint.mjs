// Opens a complaint over HTTP, answers it, reads where it stands, walks the pages of the record table and streams it.
// Node 18 or newer, no dependencies:  OMBUD_TOKEN=$(cat data/token) node docs/examples/complaint.mjs
const base = process.env.OMBUD_URL ?? "http://127.0.0.1:8080/v1";
const token = process.env.OMBUD_TOKEN;
const reference = process.argv[2] ?? `N-${Date.now()}`;

/** One request. A refusal is a problem document whose `detail` says what to do. */
async function send(method, path, body, headers = {}) {
  for (;;) {
    const answer = await fetch(base + path, {
      method,
      headers: { Authorization: `Bearer ${token}`, ...(body && { "Content-Type": "application/json" }), ...headers },
      body: body && JSON.stringify(body),
    });
    if (answer.ok) return answer;
    const problem = await answer.json();
    if (answer.status !== 429 && answer.status !== 503) throw new Error(`${answer.status}: ${problem.detail}`);
    // Too often, or somebody is away: a key makes it safe to send again.
    await new Promise((resume) => setTimeout(resume, 1000 * Number(answer.headers.get("Retry-After") ?? 1)));
  }
}

const get = async (path) => (await send("GET", path)).json();

const opened = await (await send("POST", "/complaints", {
  contract: "maintenance-service",
  reference,
  kind: "enquiry",
  category: "usage",
  channel: "phone",
  received_at: new Date().toISOString(),
  content: "How do I descale it?",
})).json();
console.log("opened", opened.complaint, "new:", opened.new);

const told = await (await send(
  "POST",
  `/complaints/${opened.complaint}/commands/answer`,
  { text: "With citric acid, cold.", by: { role: "handler.owner", person: "chen.lin" } },
  { "Idempotency-Key": `${reference}-1` },
)).json();
console.log(told.event, "entry", told.seq);

/** Postgres follows a moment behind, so what was just opened may not be there yet. */
async function clocks() {
  for (;;) {
    try {
      const { clocks: found } = await get(`/complaints/${opened.complaint}/clocks`);
      if (found.some((clock) => clock.status === "met")) return found;
    } catch (error) {
      if (!error.message.startsWith("404:")) throw error;
    }
    await new Promise((resume) => setTimeout(resume, 200));
  }
}
for (const clock of await clocks()) console.log(clock.clause, clock.obligation, clock.status, clock.due_at);

let rows = 0;
for (let next = ""; next !== null; ) {
  const page = await get(`/records?limit=100${next && `&cursor=${encodeURIComponent(next)}`}`);
  rows += page.records.length;
  next = page.next;
}

let streamed = 0;
let rest = "";
for await (const chunk of (await send("GET", "/records.ndjson")).body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop();
  streamed += lines.map((line) => JSON.parse(line)).length;
}
console.log("records:", rows, "paged,", streamed, "streamed");
