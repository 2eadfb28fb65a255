// The matrices: one figure for each run and each category, task or level of a test.
const SLICES = {
  categories: { one: "category", word: heading },
  tasks: { one: "task", word: (name) => heading(taskPhrase(name)) },
  levels: { one: "level", word: (name) => heading(levelPhrase(name)) },
};
const NARROW_RANK = { ...RANK, least: "var(--rank)" };
const NARROW_NAME = { ...NAME, least: "var(--who)", flex: 0 };

const heat = (key, name, hint, figure, chance, content) => ({
  key, heading: name, hint, kind: "heat", least: "78px", flex: 1, first: DESCENDING,
  value: (row) => figure(row)?.value ?? null,
  fill: (cell, row) => {
    const found = figure(row);
    heatCell(cell, found, chance, found === null ? null : content(row, found));
  },
});

const makeMatrix = (kind, test, acts) => {
  const { one, word } = SLICES[kind];
  const chances = board.tests[test][kind];
  const columns = [
    NARROW_RANK, NARROW_NAME,
    heat("accuracy", "Accuracy", "All problems", (row) => row.entry.accuracy, board.tests[test].chance,
      (row, figure) => figureText(percent(figure.value), row.entry)),
  ];
  for (const [name, chance] of Object.entries(chances)) {
    columns.push(heat(`${one}:${name}`, word(name), `${isolate(name)}, chance ${percent(chance)} %`,
      (row) => own(row.entry[kind], name), chance,
      (row, figure) => figureText(percent(figure.value), row.entry, one, name)));
  }
  return makeTable({
    label: `${heading(kind)} of ${board.tests[test].name}`, columns,
    rows: noteSeeds(entriesOf(test).map(rowOf)), matrix: true, usual: "accuracy", ...acts,
  });
};

const MATRIX_LEGEND = [
  ["k-heat", "accuracy in %, shaded from chance to 100"],
  ["k-even", "not told from chance by its 95 % interval"],
];
