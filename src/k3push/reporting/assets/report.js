"use strict";
// All text comes into the page as textContent: nothing of a bill or a message is ever markup.
const words = JSON.parse(document.getElementById("words").textContent);
const HEIGHT = 30, PRINTED = 2000;
const LINE = 0, NUMBER = 1, BILL = 2, STATE = 3, TARGETS = 4, IDS = 5, CODE = 6, REASON = 7,
  ATTEMPTS = 8, CHUNK = 9, SENT = 10, SETTLED = 11, CLUSTER = 12, ID = 13, KEY = 14,
  FOLLOW = 15, WHY = 16;
const all = [], attempts = [], notes = new Map();
const chosen = { text: "", state: "", cluster: -1, by: -1, down: false };
let shown = [];

const byId = id => document.getElementById(id);

// As the templates do: characters that change the order of a line are shown by their codes.
const visible = text => String(text).replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
  found => `[U+${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
// What is one is said as one.
const counted = (key, n) => (n === 1 ? words.one : words)[key].replace("{n}", n.toLocaleString());
// A bill that is listed by its id may have no number.
const name = row => row[NUMBER] || `id ${row[ID]}`;
// Drafts have no numbers.
const documents = row => row[TARGETS] || row[IDS];

function element(name, text, ...classes) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = visible(text);
  made.classList.add(...classes.filter(Boolean));
  return made;
}

async function unpack() {
  const packed = atob(byId("data").textContent.trim());
  const bytes = new Uint8Array(packed.length);
  for (let at = 0; at < packed.length; at++) bytes[at] = packed.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  for (const line of (await new Response(stream).text()).split("\n")) {
    if (!line) continue;
    const [kind, ...items] = JSON.parse(line);
    if (kind === "row") {
      items.searched = [...[NUMBER, BILL, TARGETS, CODE, ID].map(at => items[at]), told(items)]
        .join("\n").toLowerCase();
      all.push(items);
    } else if (kind === "attempt") {
      attempts.push(items);
    } else {
      if (!notes.has(items[0])) notes.set(items[0], []);
      notes.get(items[0]).push(items);
    }
  }
  byId("data").remove();
}

// The reason of a row, and how far its documents have come after their push.
function told(row) {
  return [row[REASON], words.follows[row[FOLLOW]], row[WHY]].filter(Boolean).join(" · ");
}

const isNarrowed = () => Boolean(chosen.state) || chosen.cluster >= 0;

function choose() {
  const text = chosen.text.toLowerCase();
  shown = all.filter(row =>
    (!chosen.state || row[STATE] === chosen.state) &&
    (chosen.cluster < 0 || row[CLUSTER] === chosen.cluster) &&
    (!text || row.searched.includes(text)));
  if (chosen.by >= 0) {
    const { by, down } = chosen;
    shown.sort((a, b) => (a[by] < b[by] ? -1 : a[by] > b[by] ? 1 : 0) * (down ? -1 : 1));
  }
  byId("found").textContent = counted("found", shown.length);
  byId("space").style.height = `${shown.length * HEIGHT}px`;
  byId("filter").hidden = chosen.cluster < 0;
  for (const button of document.querySelectorAll("button[data-state]")) {
    const { state } = button.dataset;
    button.setAttribute("aria-pressed", String(state ? state === chosen.state : !isNarrowed()));
  }
  byId("rows").scrollTop = 0;
  draw();
}

function draw() {
  const box = byId("rows"), first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - 5);
  const last = Math.min(shown.length, first + Math.ceil(box.clientHeight / HEIGHT) + 10);
  const made = [];
  for (let at = first; at < last; at++) {
    const row = shown[at], line = element("div", undefined, "row");
    line.style.top = `${at * HEIGHT}px`;
    line.tabIndex = 0;
    line.setAttribute("role", "row");
    line.append(
      element("span", row[LINE]), element("span", name(row), "number"),
      element("span", words.states[row[STATE]], "state", `c-${row[STATE]}`),
      element("span", documents(row), "number"), element("span", row[CODE]),
      element("span", told(row)));
    for (const each of line.children) each.setAttribute("role", "cell");
    line.title = visible(told(row));
    line.addEventListener("click", () => explain(row));
    line.addEventListener("keydown", event => { if (event.key === "Enter") explain(row); });
    made.push(line);
  }
  byId("space").replaceChildren(...made);
}

function explain(row) {
  const bill = row[KEY] || row[NUMBER], box = byId("evidence");
  const facts = element("dl", undefined, "facts");
  const fact = (name, value) => {
    if (value !== "" && value !== null && value !== 0)
      facts.append(element("dt", name), element("dd", value));
  };
  const close = element("button", words.close);
  close.addEventListener("click", () => box.close());
  const heading = element("h2", `${name(row)} · ${words.states[row[STATE]]}`);
  heading.id = "evidence-name";
  box.replaceChildren(heading, facts);
  fact(words.line, row[LINE]);
  fact(words.bill, row[BILL]);
  fact(words.id, row[ID]);
  fact(words.targets, row[TARGETS]);
  fact(words.ids, row[IDS]);
  fact(words.code, row[CODE]);
  fact(words.reason, row[REASON]);
  const advice = words.advice[row[CLUSTER]];
  if (advice) {
    fact(words.cause, advice[0]);
    fact(words.cure, advice[1]);
  }
  fact(words.follow, [words.follows[row[FOLLOW]], row[WHY]].filter(Boolean).join(" · "));
  fact(words.sent, row[SENT]);
  fact(words.settled, row[SETTLED]);
  const deeds = attempts.filter(each => each[5].includes(bill)).map(each => [each[3], () => {
    box.append(element("p", counted("attempt", each[5].length).replace("{id}", each[0]).replace("{chunk}", each[1])
      .replace("{nth}", each[2]).replace("{at}", each[3])));
    box.append(element("div", words.request, "soft"), element("pre", each[6]));
    box.append(element("div", words.answer, "soft"), element("pre", each[7]));
    if (each[8]) box.append(element("p", `${words.verdict}: ${each[8]}`));
  }]);
  for (const note of notes.get(bill) || [])
    deeds.push([note[1], () => box.append(element("p", `${note[1]} · ${note[2]}`))]);
  deeds.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)).forEach(([, tell]) => tell());
  if (!deeds.length) box.append(element("p", words.unsent, "soft"));
  box.append(close);
  box.showModal();
  box.scrollTop = 0;
}

// As k3push writes its tables: no cell can start a formula, and a job file undoes the mark.
const cell = text => {
  const safe = /^'*[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

function save(rows, name) {
  const lines = ["number,code,reason,id", ...rows.map(row =>
    [row[NUMBER], row[CODE], told(row), row[ID]].map(text => cell(String(text))).join(","))];
  const link = element("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", lines.join("\r\n"), "\r\n"], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// Paper is for what a person has to look at, unless something else was chosen.
function print() {
  const body = byId("printed").tBodies[0];
  const asked = chosen.text || chosen.state || chosen.cluster >= 0;
  const wanted = asked ? shown : shown.filter(row =>
    (row[STATE] !== "pushed" && row[STATE] !== "already") || row[CLUSTER] >= 0);
  const rows = wanted.slice(0, PRINTED).map(row => {
    const line = element("tr");
    line.append(...[row[LINE], name(row)].map(each => element("td", each)),
      element("td", words.states[row[STATE]], "state", `c-${row[STATE]}`),
      ...[documents(row), row[CODE], told(row)].map(each => element("td", each)));
    return line;
  });
  const left = shown.length - rows.length;
  if (left) {
    const line = element("tr"), more = element("td", counted("unprinted", left));
    more.colSpan = 6;
    line.append(more);
    rows.push(line);
  }
  body.replaceChildren(...rows);
}

byId("search").addEventListener("input", event => { chosen.text = event.target.value; choose(); });
for (const button of document.querySelectorAll("button[data-state]"))
  button.addEventListener("click", () => {
    chosen.state = button.dataset.state;
    if (!chosen.state) chosen.cluster = -1;
    choose();
  });
for (const button of document.querySelectorAll("button[data-by]"))
  button.addEventListener("click", () => {
    const by = Number(button.dataset.by);
    chosen.down = chosen.by === by && !chosen.down;
    chosen.by = by;
    choose();
  });
for (const button of document.querySelectorAll("button[data-show]"))
  button.addEventListener("click", () => {
    Object.assign(chosen, { cluster: Number(button.dataset.show), state: "", text: "" });
    byId("search").value = "";
    byId("filtered").textContent = button.closest("tr").querySelector(".shape").textContent;
    choose();
    byId("table").scrollIntoView();
  });
for (const button of document.querySelectorAll("button[data-save]"))
  button.addEventListener("click", () => {
    const cluster = Number(button.dataset.save);
    save(all.filter(row => row[CLUSTER] === cluster), button.dataset.name);
  });
byId("all").addEventListener("click", () => { chosen.cluster = -1; choose(); });
byId("save").addEventListener("click", () => save(shown, byId("save").dataset.name));
byId("rows").addEventListener("scroll", draw);
byId("evidence").addEventListener("click", event => {
  if (event.target === byId("evidence")) byId("evidence").close();
});
addEventListener("resize", draw);
addEventListener("beforeprint", print);
unpack().then(() => { choose(); print(); document.body.dataset.ready = "yes"; }, error => {
  byId("found").textContent = words.broken.replace("{why}", error);
});
