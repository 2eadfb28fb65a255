// The scores of one test: accuracy drawn with its interval, and what else each run came to.
const AXIS_TICKS = [0, 25, 50, 75, 100];
const axis = (texts = AXIS_TICKS) => {
  const node = make("span", "axis");
  node.setAttribute("aria-hidden", "true");
  texts.forEach((text, place) => {
    const tick = make("span", "", String(text));
    tick.style.setProperty("--c", (100 * place) / (texts.length - 1));
    node.append(tick);
  });
  return node;
};

const numbers = (key, name, first, value, text) => ({
  key, heading: heading(name), kind: "num", least: "92px", first, labelled: true, value,
  fill: (cell, row) => (value(row) === null ? leaveEmpty(cell) : cell.append(text(row))),
});
const outcomes = (name) => {
  const share = (row) => own(row.entry.outcomes, name);
  return numbers(name, name, ASCENDING, share, (row) =>
    outcomeText(`${percent(share(row))}\u00a0%`, row.entry, name));
};
const ACCURACY = {
  key: "accuracy", heading: "Accuracy, %", kind: "score", least: "200px", flex: 1.6,
  first: DESCENDING, value: (row) => row.entry.accuracy?.value ?? null, fill: accuracyCell, axis,
};

const quantitiesOf = (entries) =>
  [...new Set(entries.flatMap((entry) => Object.keys(entry.quantities)))];
const hasTwins = (entries) => entries.some((entry) => entry.twins !== null);

const makeScores = (test, acts) => {
  const entries = entriesOf(test);
  const columns = [RANK, NAME, ACCURACY];
  if (Object.keys(board.tests[test].levels).length > 1) {
    columns.push({
      key: "levels", heading: "By level", kind: "levels", least: "96px", labelled: true,
      fill: levelsCell,
    });
  }
  if (hasTwins(entries)) {
    const column = numbers("twins", "all twins", DESCENDING, (row) => row.entry.twins?.value ?? null,
      (row) => document.createTextNode(`${percent(row.entry.twins.value)}\u00a0%`));
    const { fill } = column;
    column.fill = (cell, row) => {
      if (row.entry.twins) cell.title = said(row.entry.twins).replace("problems", "groups of twins");
      fill(cell, row);
    };
    columns.push(column);
  }
  columns.push(outcomes("unparsed"), outcomes("truncated"));
  for (const name of quantitiesOf(entries)) {
    const value = (row) => own(row.entry.quantities, name);
    columns.push(numbers(`quantity:${name}`, name, ASCENDING, value,
      (row) => document.createTextNode(number(value(row)))));
  }
  return makeTable({
    label: `Scores of ${board.tests[test].name}`, columns, rows: noteSeeds(entries.map(rowOf)),
    matrix: false, usual: "accuracy", ...acts,
  });
};

// What is drawn in a score's cell, of which the bar is `words`.
const scoreKeys = (words, { chance, blind }) => {
  const keys = [
    ["k-bar", words], ["k-whisker", "95 % interval"], ["k-chance", `chance ${percent(chance)} %`],
  ];
  if (blind !== null) keys.push(["k-blind", `best blind predictor ${percent(blind)} %`]);
  return keys;
};
const scoresLegend = (test) => legend(scoreKeys("share of right replies", board.tests[test]));

const legend = (items) => {
  const list = make("ul", "legend");
  for (const [kind, text] of items) {
    const item = make("li");
    if (kind) {
      const key = make("i", kind);
      key.setAttribute("aria-hidden", "true");
      item.append(key);
    }
    item.append(make("span", "", text));
    list.append(item);
  }
  return list;
};
