"use strict";
// The page is whole without this script. It adds sorting, finding and the panels
// of details, and writes untrusted text through textContent alone.
(() => {
  const data = JSON.parse(document.getElementById("board-data").textContent);
  const status = document.getElementById("status");
  const search = document.getElementById("search");
  const baselines = document.getElementById("baselines");

  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const percent = (share) => (Math.floor(1000 * share + 0.5) / 10).toFixed(1);

  // ---- sorting -------------------------------------------------------------
  const valueOf = (entry, key) => {
    const cell = entry.querySelector(`[data-key="${key}"]`);
    const raw = cell.dataset.value;
    if (raw === undefined) return null;
    return cell.dataset.kind === "text" ? raw : Number(raw);
  };

  const compare = (a, b) =>
    typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;

  const sortBy = (group, key, direction) => {
    const table = group.querySelector("table.board");
    const sign = direction === "ascending" ? 1 : -1;
    const entries = [...table.querySelectorAll("tbody.entry")].map((entry) => ({
      entry, value: valueOf(entry, key), place: Number(entry.dataset.place),
    }));
    entries.sort((a, b) => {
      // What has no figure stands last whichever way the column runs.
      if (a.value === null || b.value === null) {
        return (a.value === null) - (b.value === null) || a.place - b.place;
      }
      return sign * compare(a.value, b.value) || a.place - b.place;
    });
    for (const { entry } of entries) table.append(entry);
    let name = key;
    for (const heading of table.querySelectorAll("th[data-sort]")) {
      const chosen = heading.dataset.sort === key;
      heading.setAttribute("aria-sort", chosen ? direction : "none");
      if (chosen) name = heading.querySelector("button").textContent;
    }
    const choice = group.querySelector(".sort-phone select");
    const turn = group.querySelector(".sort-phone button");
    choice.value = key;
    turn.textContent = direction === "ascending" ? "\u2191" : "\u2193";
    turn.setAttribute("aria-label", `Order: ${direction}`);
    return name;
  };

  const currentSort = (group) => {
    const heading = group.querySelector('th[aria-sort="ascending"], th[aria-sort="descending"]');
    return { key: heading.dataset.sort, direction: heading.getAttribute("aria-sort") };
  };
  const opposite = (direction) => (direction === "ascending" ? "descending" : "ascending");
  const firstDirection = (group, key) =>
    group.querySelector(`th[data-sort="${key}"]`).dataset.first;

  const announce = (group, key, direction) => {
    status.textContent = `Sorted by ${sortBy(group, key, direction)}, ${direction}`;
  };

  for (const group of document.querySelectorAll(".group")) {
    group.querySelector("table.board").addEventListener("click", (event) => {
      const heading = event.target.closest("th[data-sort]");
      if (!heading) return;
      const now = currentSort(group);
      const key = heading.dataset.sort;
      announce(group, key, now.key === key ? opposite(now.direction) : firstDirection(group, key));
    });
    group.querySelector(".sort-phone select").addEventListener("change", (event) => {
      announce(group, event.target.value, firstDirection(group, event.target.value));
    });
    group.querySelector(".sort-phone button").addEventListener("click", () => {
      const now = currentSort(group);
      announce(group, now.key, opposite(now.direction));
    });
  }

  // ---- finding -------------------------------------------------------------
  const find = () => {
    const words = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    let all = 0;
    for (const group of document.querySelectorAll(".group")) {
      let here = 0;
      for (const entry of group.querySelectorAll("tbody.entry")) {
        const name = entry.querySelector(".name b").textContent.toLowerCase();
        const wanted = words.every((word) => name.includes(word)) &&
          (baselines.checked || !entry.classList.contains("baseline"));
        entry.hidden = !wanted;
        all += 1;
        if (wanted) here += 1;
      }
      group.querySelector(".nothing").hidden = here > 0;
      shown += here;
    }
    status.textContent = shown === all ? "" : `${shown} of ${all} rows shown`;
  };
  search.addEventListener("input", find);
  baselines.addEventListener("change", find);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search && search.value) {
      search.value = "";
      find();
    }
  });

  // ---- details -------------------------------------------------------------
  const track = (estimate, chance) => {
    const node = make("span", "track");
    const bar = make("span", "bar");
    bar.style.setProperty("--v", 100 * estimate.value);
    const whisker = make("span", "whisker");
    whisker.style.setProperty("--lo", 100 * estimate.low);
    whisker.style.setProperty("--hi", 100 * estimate.high);
    node.append(bar);
    if (chance !== null && chance !== undefined) {
      const mark = make("span", "mark");
      mark.style.setProperty("--c", 100 * chance);
      node.append(mark);
    }
    node.append(whisker);
    node.setAttribute("aria-hidden", "true");
    return node;
  };

  const lines = (title, rows, chances, word) => {
    const box = make("div");
    box.append(make("h3", "", title));
    for (const [name, estimate] of Object.entries(rows)) {
      const line = make("div", "line");
      const figure = make("span", "", percent(estimate.value));
      figure.title = `95 % interval ${percent(estimate.low)} to ${percent(estimate.high)}, ` +
        `${estimate.problems} problems`;
      line.append(make("span", "", word(name)), figure, track(estimate, (chances || {})[name]));
      box.append(line);
    }
    return box;
  };

  const taskWord = (name) => name.slice(name.indexOf("/") + 1).replaceAll("_", " ");

  const outcomes = (shares) => {
    const box = make("div");
    box.append(make("h3", "", "What became of the replies"));
    const stack = make("div", "stack");
    stack.setAttribute("aria-hidden", "true");
    const list = make("ul");
    for (const [name, share] of Object.entries(shares)) {
      const piece = make("i", `o-${name}`);
      piece.style.setProperty("--v", 100 * share);
      if (share > 0) stack.append(piece);
      const item = make("li");
      item.append(make("i", `o-${name}`), make("span", "", `${name} ${percent(share)} %`));
      list.append(item);
    }
    box.append(stack, list);
    return box;
  };

  const panel = (entry, group) => {
    const box = make("div", "panel");
    const left = make("div");
    left.append(lines("By task", entry.tasks, group.chance_by_task, taskWord), outcomes(entry.outcomes));
    const right = make("div");
    right.append(lines("By level", entry.levels, group.chance_by_level, (level) => `level ${level}`));
    if (entry.settings.length) {
      right.append(make("h3", "", "The run"));
      const list = make("dl");
      for (const [name, value] of entry.settings) {
        list.append(make("dt", "", name), make("dd", "", value));
      }
      right.append(list);
    }
    box.append(left, right);
    return box;
  };

  for (const button of document.querySelectorAll("button.name")) {
    button.addEventListener("click", () => {
      const body = button.closest("tbody");
      const detail = body.querySelector("tr.detail");
      const cell = detail.firstElementChild;
      if (!cell.firstChild) {
        const [g, e] = body.dataset.entry.split(".").map(Number);
        cell.append(panel(data.groups[g].entries[e], data.groups[g]));
      }
      detail.hidden = !detail.hidden;
      button.setAttribute("aria-expanded", String(!detail.hidden));
    });
    button.disabled = false;
  }

  document.getElementById("toolbar").hidden = false;
  search.value = "";
  baselines.checked = true;
})();
