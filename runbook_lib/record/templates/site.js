"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function badge(word) {
  const known = data.badges[word] || ["•", "#8a8f98"];
  return element("span", `${known[0]} ${word}`, { class: "badge", style: `--tone: ${known[1]}` });
}

/* A cell with a sentence; what is between backticks is a command. */
function said(text) {
  const made = element("td");
  made.append(...text.split("`").map((part, place) => (place % 2 ? element("code", part) : part)));
  return made;
}

/* The list of runs: filtered by what is chosen above it, a hundred rows at a time. */
function list() {
  const form = byId("filters"), body = byId("runs"), told = byId("told"), more = byId("more");
  const STEP = 100;
  let shown = STEP, timer = 0;

  function wanted() {
    const chosen = Object.fromEntries(new FormData(form));
    const terms = chosen.text.toLowerCase().split(/\s+/).filter(Boolean);
    return data.runs.filter((run) =>
      ["env", "release", "notebook", "word", "operator"].every((name) => !chosen[name] || run[name] === chosen[name]) &&
      (!chosen.since || run.at.slice(0, 10) >= chosen.since) &&
      (!chosen.until || run.at.slice(0, 10) <= chosen.until) &&
      terms.every((term) => run.search.includes(term)));
  }

  function row(run) {
    const made = element("tr");
    const time = element("th", run.at, { scope: "row" });
    const link = element("a", run.notebook, { href: run.report });
    const where = element("a", `${run.env} ${run.release}`, { href: run.rollout });
    const cells = [time, element("td"), element("td"), element("td"), element("td", run.who, { title: run.operator, "data-name": "Operator" }), said(run.reason)];
    cells[1].append(badge(run.word));
    cells[2].append(link, run.attempt > 1 ? ` attempt ${run.attempt}` : "");
    cells[3].append(where);
    made.append(...cells);
    return made;
  }

  function draw() {
    const found = wanted();
    body.replaceChildren(...found.slice(0, shown).map(row));
    told.textContent = `${found.length} of ${data.runs.length} runs` + (found.length > shown ? `, the newest ${shown} shown` : "");
    more.hidden = found.length <= shown;
    const chosen = [...new FormData(form)].filter(([, value]) => value);
    history.replaceState(null, "", chosen.length ? `#${new URLSearchParams(chosen)}` : location.pathname + location.search);
  }

  for (const run of data.runs)
    run.search = [run.at, run.env, run.release, run.notebook, run.word, run.operator, run.reason, run.run].join(" ").toLowerCase();
  for (const [name, value] of new URLSearchParams(location.hash.slice(1)))
    if (form.elements[name]) form.elements[name].value = value;
  form.addEventListener("input", () => { shown = STEP; clearTimeout(timer); timer = setTimeout(draw, 80); });
  form.addEventListener("reset", () => { shown = STEP; setTimeout(draw); });
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => { shown += STEP; draw(); });
  if (location.hash) draw(); else told.textContent = `${data.runs.length} runs` + (data.runs.length > STEP ? `, the newest ${STEP} shown` : "");
  more.hidden = data.runs.length <= STEP && !location.hash;
}

/* Two runs side by side: verdicts and figures of each gate, then every parameter and line of the policy that differs. */
function compare() {
  const left = byId("left"), right = byId("right"), body = byId("compared");
  const cell = (gate) => {
    const made = element("td");
    if (gate) made.append(badge(gate.word), ` ${gate.told}`); else made.textContent = "not judged";
    return made;
  };
  function draw() {
    const [one, other] = [data.runs[left.value], data.runs[right.value]];
    if (!one || !other) return;
    const rows = [];
    const add = (name, ...cells) => { const made = element("tr"); made.append(element("th", name, { scope: "row" }), ...cells); rows.push(made); };
    const pair = (name, a, b) => add(name, element("td", a), element("td", b));
    const link = (run) => { const made = element("td"); made.append(element("a", "report", { href: run.report })); return made; };
    const word = (run) => { const made = element("td"); made.append(badge(run.word)); return made; };
    add("Decision", word(one), word(other));
    pair("Why", one.reason, other.reason);
    add("Report, with its charts", link(one), link(other));
    for (const gate of [...new Set([...Object.keys(one.gates), ...Object.keys(other.gates)])])
      add((one.gates[gate] || other.gates[gate]).title, cell(one.gates[gate]), cell(other.gates[gate]));
    const settings = (run) => ({ ...data.settings[run.policy], ...data.settings[run.params] });
    const [before, after] = [settings(one), settings(other)];
    const differ = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => before[name] !== after[name]).sort();
    for (const name of differ) pair(name, before[name] ?? "–", after[name] ?? "–");
    if (!differ.length) pair("Parameters and policy", "the same", "the same");
    body.replaceChildren(...rows);
  }
  left.addEventListener("change", draw);
  right.addEventListener("change", draw);
  draw();
}

if (byId("filters")) list();
if (byId("compared")) compare();
