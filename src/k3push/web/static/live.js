"use strict";
// Live changes of a page: the server makes the parts, escaped as the page itself, and they are
// put in their places here. A page that nobody sees asks for nothing.
const main = document.getElementById("main");
const HEARD_EVERY_MS = 15000;
const HEARD_FOR_MS = 3000;
const FRESH_EVERY_MS = 5000;
const AGAIN_MS = 5000;
const LEAVING_MS = 5000;
const SILENT_MS = 10000;
const byId = id => document.getElementById(id);
const shown = { parts: {}, heardAt: 0, refresh: null, silence: null };
const fresh = [...document.querySelectorAll("[data-fresh]")];
let source = null;
// Where programs push every moment, the list of runs changes as often.
const YOUNGEST_MS = document.querySelector(".runs") ? 3000 : 500;

function put(parts) {
  for (const [id, html] of Object.entries(parts)) {
    const place = byId(id);
    if (!place || shown.parts[id] === html) continue;
    shown.parts[id] = html;
    place.innerHTML = html;
  }
}

// A screen reader is told now and then, and not with every second. Whoever reads the page with it
// would find old figures beside the present ones, so they do not stay.
function tell(text) {
  const now = Date.now();
  if (!text || now - shown.heardAt < HEARD_EVERY_MS) return;
  shown.heardAt = now;
  byId("heard").textContent = text;
  setTimeout(() => { byId("heard").textContent = ""; }, HEARD_FOR_MS);
}

// Somebody may be filling in a form, which a new page would empty.
function isFillingIn(place = document) {
  return [...place.querySelectorAll("input:not([type=hidden]), textarea, select")]
    .some(field => field === document.activeElement || isChanged(field));
}

function isChanged(field) {
  if (field.type === "checkbox") return field.checked !== field.defaultChecked;
  return "defaultValue" in field && field.value !== field.defaultValue;
}

// A page that somebody is about to leave is not loaded again, which would take their click away.
// Where the click was for a file, the page stays.
let leftAt = -Infinity;
// A browser says that a page is left a moment after the click.
for (const kind of ["click", "beforeunload"]) addEventListener(kind, () => { leftAt = Date.now(); });

function reload() {
  const rest = Math.max(LEAVING_MS - (Date.now() - leftAt), YOUNGEST_MS - performance.now());
  if (rest < 0) location.reload();
  else setTimeout(reload, rest + 1);
}

function turn() {
  if (isFillingIn()) byId("changed").hidden = false;
  else reload();
}

function listen() {
  source = new EventSource(main.dataset.live);
  shown.silence = setTimeout(look, SILENT_MS);
  source.onopen = () => { byId("offline").hidden = true; };
  source.onerror = event => {
    byId("offline").hidden = false;
    // After an answer that is an error, a browser does not come again by itself.
    if (event.target.readyState === EventSource.CLOSED) setTimeout(comeAgain, AGAIN_MS);
  };
  source.onmessage = event => {
    clearTimeout(shown.silence);
    const { parts, state, heard } = JSON.parse(event.data);
    put(parts);
    tell(heard);
    if (state === main.dataset.state) refreshSoon();
    else turn();
  };
}

// The first message comes at once, unless a proxy keeps all of them until the last: then the page
// itself is read, which no proxy keeps.
async function look() {
  const listening = source;
  const answer = await fetch(location.href).catch(() => null);
  const page = parsed(answer?.ok ? await answer.text() : "");
  if (!listening || source !== listening) return;
  shown.silence = setTimeout(look, SILENT_MS);
  const now = page.getElementById("main");
  if (answer?.redirected || (now && now.dataset.state !== main.dataset.state)) return turn();
  const parts = [...page.querySelectorAll("[data-part]")];
  put(Object.fromEntries(parts.map(each => [each.id, each.innerHTML])));
  if (now) renew(page);
}

// The server may be away, or have begun anew and know nobody: then the page says how to come in.
async function comeAgain() {
  if (document.hidden) return;
  stopListening();
  const answer = await fetch(location.href).catch(() => null);
  if (!answer) setTimeout(comeAgain, AGAIN_MS);
  else if (answer.redirected || answer.status === 401 || answer.status === 403) location.reload();
  else listen();
}

function stopListening() {
  if (source) source.close();
  source = null;
  clearTimeout(shown.silence);
}

// Return what is at an address, or "": where the server is away, what listens to it says so.
async function read(address) {
  try {
    const answer = await fetch(address);
    return answer.ok && !answer.redirected ? await answer.text() : "";
  } catch {
    return "";
  }
}

async function load(place) {
  const text = await read(`${place.dataset.load}?part=1`);
  if (text) place.lastElementChild.innerHTML = text;
}

// Rows and reasons are many, and change with each number: they are taken from the whole page, now
// and then.
function refreshSoon() {
  if (!fresh.length || shown.refresh) return;
  shown.refresh = setTimeout(refresh, FRESH_EVERY_MS);
}

async function refresh() {
  try {
    if (document.hidden) return;
    if (pace) load(pace);
    renew(parsed(await read(location.href)));
  } finally {
    shown.refresh = null;
  }
}

function parsed(text) {
  return new DOMParser().parseFromString(text, "text/html");
}

function renew(page) {
  for (const place of fresh) {
    const now = page.getElementById(place.id);
    if (!now || isInUse(place) || now.innerHTML === place.innerHTML) continue;
    place.innerHTML = now.innerHTML;
  }
}

// What somebody has gone to by the keyboard, chosen or marked is not taken from under them.
function isInUse(place) {
  const marked = getSelection();
  return place.contains(document.activeElement) || isFillingIn(place) ||
    (marked.type === "Range" && marked.containsNode(place, true));
}

// A list may be dropped anywhere on the page that asks for one.
const list = byId("file");
if (list) {
  const bringsFiles = event => [...event.dataTransfer.types].includes("Files");
  addEventListener("dragover", event => { if (bringsFiles(event)) event.preventDefault(); });
  addEventListener("drop", event => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer.files.length === 1) list.files = event.dataTransfer.files;
  });
}

// A session may end while somebody types: the text is there again once the same person has signed
// in. It waits no longer than for the page behind the sign-in, and not for anybody who signs out.
const text = byId("text");
const TYPED = "k3push kept text";
sessionStorage.removeItem("k3push typed"); // an earlier version kept a bare text there
const KEPT_FOR_MS = 3600000;
const typed = JSON.parse(sessionStorage.getItem(TYPED) ?? "null");
const signsIn = location.pathname.startsWith("/login");
if (signsIn && typed && new URLSearchParams(location.search).has("ended")) {
  sessionStorage.setItem(TYPED, JSON.stringify({ ...typed, ended: true }));
} else if (!signsIn || !typed?.ended) {
  sessionStorage.removeItem(TYPED);
}
if (text) {
  const here = { whose: main.dataset.whose, path: location.pathname };
  const isTheirs = typed?.ended && typed.whose === here.whose && typed.path === here.path;
  if (isTheirs && Date.now() - typed.at < KEPT_FOR_MS) text.value ||= typed.text;
  text.form.addEventListener("submit", () => {
    const kept = { ...here, text: text.value, at: Date.now() };
    sessionStorage.setItem(TYPED, JSON.stringify(kept));
  });
}

if (main.dataset.live) {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stopListening();
    else if (!source) listen();
  });
  addEventListener("pagehide", stopListening);
  if (!document.hidden) listen();
}

const pace = byId("pace");
if (pace) load(pace);
