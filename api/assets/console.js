// Keeps the page fresh and the hands on the keyboard; every page works without it.
"use strict";
const body = document.body;
const LEAST_MS = 1000; // between two looks: nobody reads faster, and a busy utility changes always
const EVERY_MS = 5000; // balances fall without a change of state
let asked = 0, waiting = false, etag = "";

async function refresh() {
  if (waiting || document.hidden) return;
  waiting = true;
  await new Promise((go) => setTimeout(go, Math.max(0, asked + LEAST_MS - Date.now())));
  asked = Date.now();
  try {
    const answer = await fetch(body.dataset.live, { headers: etag ? { "If-None-Match": etag } : {} });
    if (answer.status === 401) location.reload();
    if (answer.status === 200) {
      etag = answer.headers.get("etag") || "";
      put(await answer.text());
    }
  } catch { /* the stream says that the line is broken */ }
  waiting = false;
}

function put(text) {
  const fresh = document.getElementById("fresh");
  if (fresh.contains(document.activeElement) && document.activeElement.matches("input, select")) return;
  const before = new Map([...fresh.querySelectorAll("tr[data-row]")].map((row) => [row.dataset.row, row.dataset.state]));
  const at = fresh.querySelector("tr.at")?.dataset.row;
  const page = new DOMParser().parseFromString(text, "text/html"); // no script in it runs
  fresh.replaceChildren(...page.body.childNodes);
  for (const row of fresh.querySelectorAll("tr[data-row]")) {
    if (before.get(row.dataset.row) !== row.dataset.state) row.classList.add("new");
    if (row.dataset.row === at) row.classList.add("at");
  }
}

function listen() {
  const pulse = document.getElementById("pulse");
  const say = (on) => { pulse.classList.toggle("on", on); pulse.textContent = on ? pulse.dataset.live : pulse.dataset.waiting; };
  const stream = new EventSource(body.dataset.changes);
  stream.onopen = () => say(true);
  stream.onerror = () => {
    say(false);
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, EVERY_MS); // refused, not broken
  };
  stream.addEventListener("change", refresh);
  stream.addEventListener("reset", refresh);
}

function move(by) {
  const rows = [...document.querySelectorAll("#fresh tr[data-row]")];
  if (!rows.length) return;
  const now = rows.findIndex((row) => row.classList.contains("at"));
  const next = rows[Math.min(Math.max(now + by, 0), rows.length - 1)];
  rows.forEach((row) => row.classList.toggle("at", row === next));
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select, textarea, button, a, summary") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") { event.preventDefault(); document.getElementById("find")?.focus(); }
  if (event.key === "j") move(1);
  if (event.key === "k") move(-1);
  if (event.key === "Enter") document.querySelector("tr.at a")?.click();
});

for (const each of document.querySelectorAll(".choose select")) each.addEventListener("change", () => each.form.requestSubmit());
if (body.dataset.live) {
  listen();
  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
}
