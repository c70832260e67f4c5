"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
document.documentElement.classList.add("live");

// Sorting: numbers by size, words by the alphabet; the same heading once more turns the order round.
function value(row, column) {
  const text = row.cells[column].textContent;
  const number = parseFloat(text.replaceAll(",", ""));
  return row.cells[column].classList.contains("word") ? text : Number.isNaN(number) ? -Infinity : number;
}

function sort(heading) {
  const column = heading.cellIndex;
  const body = heading.closest("table").tBodies[0];
  const numeric = !heading.classList.contains("word");
  const before = heading.getAttribute("aria-sort");
  const descending = before ? before === "ascending" : numeric; // of numbers, the largest are looked for
  const sign = descending ? -1 : 1;
  const compared = (one, other) => {
    const [a, b] = [value(one, column), value(other, column)];
    return sign * (a < b ? -1 : a > b ? 1 : 0);
  };
  for (const other of all("th", heading.parentElement)) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  body.append(...[...body.rows].sort(compared));
}

for (const heading of all(".listed th")) heading.querySelector("button").onclick = () => sort(heading);

// Filtering: rows and failures that hold all of the words, and that failed where only those are wanted.
const words = document.getElementById("words");
const failing = document.getElementById("failing");

function filter() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const holds = (element) => wanted.every((word) => element.textContent.toLowerCase().includes(word));
  for (const row of all("#results tbody tr")) {
    row.hidden = !holds(row) || (failing.checked && !row.querySelector(".failed, .declined"));
  }
  for (const failure of all(".failure")) failure.hidden = !holds(failure);
}

if (words) words.oninput = failing.onchange = filter;

// Folding: a failure that is linked to unfolds.
function unfold() {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) {
    target.hidden = false;
    target.open = true;
    target.scrollIntoView();
  }
}

window.onhashchange = unfold;
unfold();
for (const link of all("a[href^='#']")) link.addEventListener("click", () => setTimeout(unfold));
for (const [id, open] of [["unfold", true], ["fold", false]]) {
  const button = document.getElementById(id);
  if (button) button.onclick = () => all(".failure").forEach((failure) => { failure.open = open; });
}

// Copying: what a button names, or the address of its failure.
function copyOld(text) { // for pages that aren't served safely, which have no clipboard
  const area = document.body.appendChild(document.createElement("textarea"));
  area.value = text;
  area.select();
  document.execCommand("copy");
  area.remove();
}

for (const button of all("button[data-copies]")) {
  button.onclick = async () => {
    const id = button.dataset.copies;
    const text = id.startsWith("#") ? location.href.replace(/#.*/, "") + id : document.getElementById(id).textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      copyOld(text);
    }
    const said = button.textContent;
    button.textContent = "copied";
    setTimeout(() => { button.textContent = said; }, 1500);
  };
}
