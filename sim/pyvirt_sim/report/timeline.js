"use strict";
// Points at lines, dims those that are not asked for, and steps through the schedule.
const runs = [...document.querySelectorAll(".runs section")].map((section) => ({
  rows: [...section.querySelectorAll(".row")],
  messages: [...section.querySelectorAll(".message")],
}));
const details = document.getElementById("details");
const search = document.getElementById("search");
const lanes = [...document.querySelectorAll("#lanes input")];
let chosen = null;

const wordsOf = (row) => `${row.dataset.actor}\n${row.dataset.action}`;

// The line of another run that says the same, counted from the start as often.
function alike(row, own, other) {
  const words = wordsOf(row);
  const before = own.rows.slice(0, own.rows.indexOf(row)).filter((one) => wordsOf(one) === words).length;
  return other.rows.filter((one) => wordsOf(one) === words)[before];
}

function tell(row) {
  const list = document.createElement("dl");
  const entries = [
    ["step", `${row.dataset.step}, at ${row.dataset.time} s`],
    [row.dataset.actor, row.dataset.action],
    ["task", row.dataset.task],
    ["goes on at", row.dataset.location],
    ["because", row.dataset.cause],
    ["follows", row.dataset.follows],
  ];
  for (const [term, text] of entries.filter(([, text]) => text)) {
    list.append(Object.assign(document.createElement("dt"), { textContent: term }));
    list.append(Object.assign(document.createElement("dd"), { textContent: text }));
  }
  details.replaceChildren(list);
}

function choose(row) {
  for (const run of runs) {
    run.rows.forEach((one) => one.classList.remove("chosen", "alike"));
    run.messages.forEach((one) => one.classList.remove("on"));
  }
  chosen = row;
  if (!row) return;
  row.classList.add("chosen");
  tell(row);
  for (const run of runs) {
    if (run.rows.includes(row)) {
      const index = row.dataset.index;
      run.messages
        .filter((one) => one.dataset.sent === index || one.dataset.received === index)
        .forEach((one) => one.classList.add("on"));
    } else {
      const own = runs.find((one) => one.rows.includes(row));
      alike(row, own, run)?.classList.add("alike");
    }
  }
  row.scrollIntoView({ block: "nearest" });
}

function go(by, wanted = () => true) {
  const run = runs.find((one) => one.rows.includes(chosen)) ?? runs[0];
  if (!run) return;
  const isShown = (row) => row && !row.classList.contains("off") && wanted(row);
  let index = chosen ? run.rows.indexOf(chosen) + by : by > 0 ? 0 : run.rows.length - 1;
  while (index >= 0 && index < run.rows.length && !isShown(run.rows[index])) index += by;
  if (run.rows[index]) choose(run.rows[index]);
}

const isMarked = (row) => !row.classList.contains("same");

function filter() {
  const shown = new Set(lanes.filter((one) => one.checked).map((one) => one.value));
  const wanted = search.value.toLowerCase();
  for (const row of runs.flatMap((run) => run.rows)) {
    const isOff = !shown.has(row.dataset.actor) || !wordsOf(row).toLowerCase().includes(wanted);
    row.classList.toggle("off", isOff);
  }
}

runs.flatMap((run) => run.rows).forEach((row) => row.addEventListener("click", () => choose(row)));
lanes.forEach((one) => one.addEventListener("change", filter));
search.addEventListener("input", filter);
document.getElementById("back").addEventListener("click", () => go(-1));
document.getElementById("next").addEventListener("click", () => go(1));
document.getElementById("marked").addEventListener("click", () => go(1, isMarked));
document.addEventListener("keydown", (event) => {
  if (event.target === search) return;
  const keys = { j: [1], ArrowDown: [1], k: [-1], ArrowUp: [-1], m: [1, isMarked] };
  if (keys[event.key]) {
    event.preventDefault();
    go(...keys[event.key]);
  }
});
