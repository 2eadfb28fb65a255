// A table of rows that can be sorted, filtered and opened.
//
// Rows are CSS grids of columns of fixed width, so that none has to be measured for the others,
// and those out of sight cost nothing (content-visibility). The roles are written out. Each row
// stands in a group of its own together with its details. Sorting moves the groups that are there.
// A table of more than TALL rows scrolls in its frame, under its headings. Where a row has very
// many figures they stand in chunks, so that those far to the side cost nothing either.
const ASCENDING = "ascending";
const DESCENDING = "descending";
const TALL = 20;
const CHUNK = 12;
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

const compare = (a, b) =>
  typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;

// `columns`: key, heading, kind (a class), least (its width), flex (its share of what is left),
// fill(cell, row), hint (its names isolated), and, where it can be sorted by, value(row) and the
// direction that a click begins with.
// `matrix`: figures among which the arrow keys move; else a table, of cards on a phone.
const makeTable = ({ label, columns, rows, matrix, usual, onSort, onOpen }) => {
  const frame = make("div", `frame${matrix ? "" : " of-cards"}${rows.length > TALL ? " tall" : ""}`);
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", visible(label));
  frame.tabIndex = 0;
  const still = rows.some((row) => row.opens) ? "" : " still";
  const table = make("div", `table ${matrix ? "matrix" : "cards"}${still}`);
  table.setAttribute("role", matrix ? "grid" : "table");
  table.setAttribute("aria-label", visible(label));
  const track = ({ least, flex }) => (flex ? `minmax(${least}, ${flex}fr)` : least);
  table.style.setProperty("--columns", columns.map(track).join(" "));
  table.style.setProperty("--least", `calc(${columns.map((column) => column.least).join(" + ")})`);
  const nothing = make("p", "nothing", "No such row here.");
  frame.append(table, nothing);

  const heads = new Map();
  const makeHead = () => {
    const group = make("div", "head");
    group.setAttribute("role", "rowgroup");
    const row = make("div", "row");
    row.setAttribute("role", "row");
    for (const column of columns) {
      const cell = make("div", column.kind);
      cell.setAttribute("role", "columnheader");
      if (column.hint) cell.title = column.hint;
      if (column.value) {
        const button = make("button");
        button.type = "button";
        button.append(make("span", "", column.heading));
        button.addEventListener("click", () => onSort(column.key));
        cell.append(button);
      } else {
        cell.append(make("span", "plain", column.heading));
      }
      if (column.axis) cell.append(column.axis());
      heads.set(column.key, cell);
      row.append(cell);
    }
    group.append(row);
    return group;
  };

  const role = matrix ? "gridcell" : "cell";
  const chunked = columns.length > 2 * CHUNK ? columns.findIndex((one) => one.kind === "heat") : -1;
  const makeRow = (row) => {
    const group = make("div", `entry${row.baseline ? " baseline" : ""}`);
    group.setAttribute("role", "rowgroup");
    const line = make("div", "row");
    line.setAttribute("role", "row");
    let part = line;
    columns.forEach((column, place) => {
      if (chunked >= 0 && place >= chunked && (place - chunked) % CHUNK === 0) {
        part = make("div", "chunk");
        part.style.setProperty("--count", Math.min(CHUNK, columns.length - place));
        line.append(part);
      }
      const cell = make("div", column.kind);
      if (column.key === "name") {
        cell.setAttribute("role", "rowheader");
        nameCell(cell, row, opener(row));
        if (matrix) cell.title = visible(row.name);
      } else {
        cell.setAttribute("role", role);
        if (!matrix && column.labelled) cell.dataset.label = visible(column.heading);
        column.fill(cell, row);
      }
      part.append(cell);
    });
    // In a grid the figures are reached by the arrow keys, and Tab goes from row to row: to the
    // button, or to the first figure where there is none.
    if (matrix) {
      const figures = [...line.querySelectorAll("a")].slice(row.opens ? 0 : 1);
      for (const figure of figures) figure.tabIndex = -1;
    }
    group.append(line);
    return group;
  };

  const opener = (row) => {
    if (!row.opens) return null;
    const button = make("button", "name");
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => onOpen(row.key));
    return button;
  };

  const groups = new Map(rows.map((row) => [row, makeRow(row)]));
  table.append(makeHead(), ...groups.values());

  let order = rows;
  const sort = (key, direction) => {
    const column = columns.find((one) => one.key === key);
    const sign = direction === ASCENDING ? 1 : -1;
    const values = new Map(rows.map((row) => [row, column.value(row)]));
    const sorted = [...rows].sort((a, b) => {
      const [x, y] = [values.get(a), values.get(b)];
      // What has no figure stands last whichever way the column runs.
      if (x === null || y === null) return (x === null) - (y === null) || a.place - b.place;
      return sign * compare(x, y) || a.place - b.place;
    });
    if (sorted.some((row, place) => row !== order[place])) {
      // Where a browser can, rows are moved as they are and not taken out and put in anew.
      const move = table.moveBefore ?? table.insertBefore;
      for (const row of sorted) move.call(table, groups.get(row), null);
      order = sorted;
    }
    for (const [name, cell] of heads) {
      if (cell.firstChild.tagName !== "BUTTON") continue;
      const state = name === key ? direction : "none";
      if (cell.getAttribute("aria-sort") !== state) cell.setAttribute("aria-sort", state);
    }
  };

  let opened = null;
  const open = (key) => {
    const row = rows.find((one) => one.key === key && one.opens) ?? null;
    if (row === opened) return;
    if (opened !== null) {
      const group = groups.get(opened);
      group.querySelector(".detail").remove();
      group.querySelector("button.name").setAttribute("aria-expanded", "false");
    }
    opened = row;
    if (row === null) return;
    const detail = make("div", "detail");
    detail.setAttribute("role", "row");
    const cell = make("div");
    cell.setAttribute("role", role);
    cell.setAttribute("aria-colspan", columns.length);
    cell.append(details(row.entry));
    detail.append(cell);
    const group = groups.get(row);
    group.append(detail);
    group.querySelector("button.name").setAttribute("aria-expanded", "true");
  };

  table.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const cell = event.target.closest(".entry > .row [role]");
    if (!matrix || !step || !cell || event.altKey || event.ctrlKey || event.metaKey) return;
    const shown = order.map((row) => groups.get(row)).filter((group) => !group.hidden);
    const cells = (group) => [...group.firstChild.querySelectorAll("[role]")];
    let down = shown.indexOf(cell.closest(".entry"));
    let across = cells(shown[down]).indexOf(cell);
    for (;;) {
      down += step[0];
      across += step[1];
      const next = shown[down] && cells(shown[down])[across];
      if (!next) return;
      const target = next.querySelector("a, button");
      if (target) {
        event.preventDefault();
        target.focus({ preventScroll: true });
        // Focus alone would leave a figure half under the names, which stick to the side.
        const seen = target.tagName === "A" ? target : target.closest(".entry");
        seen.scrollIntoView({ block: "nearest", inline: "nearest" });
        return;
      }
    }
  });

  const update = (asked) => {
    sort(asked.sort, asked.order);
    let count = 0;
    for (const [row, group] of groups) {
      const wanted = asked.wanted(row);
      group.hidden = !wanted;
      count += wanted;
    }
    nothing.hidden = count > 0;
    open(asked.open);
    return count;
  };
  const reveal = () => {
    if (opened !== null) groups.get(opened).scrollIntoView({ block: "nearest" });
  };
  return { node: frame, rows, columns: columns.filter((column) => column.value), usual, update, reveal };
};

const RANK = {
  key: "rank", heading: "Rank", kind: "rank stay", least: "62px", first: ASCENDING,
  value: (row) => row.standing.rank, fill: rankCell,
};
const NAME = {
  key: "name", heading: "Model", kind: "who stay", least: "236px", flex: 1.5,
  first: ASCENDING, value: (row) => row.name,
};
