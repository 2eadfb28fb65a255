// All tests side by side: one row a model, method, rung and seed, or a baseline, with the mean
// over the tests, in which each weighs the same.
const average = (shares) => shares.reduce((sum, share) => sum + share, 0) / shares.length;

// What the mean is held against: chance, and the best blind predictor where each test has one.
const overallMarks = () => {
  const tests = board.overall_tests.map((place) => board.tests[place]);
  const blind = tests.every((test) => test.blind !== null);
  return {
    chance: average(tests.map((test) => test.chance)),
    blind: blind ? average(tests.map((test) => test.blind)) : null,
  };
};

const overallRows = () => noteSeeds(board.overall.map((one, place) => ({
  key: String(place), place, name: one.name, kind: one.kind, method: one.method, rung: one.rung,
  seed: one.seed, baseline: isBaseline(one), standing: one, opens: false, mean: one.mean,
  entries: one.entries.map((entry) => (entry === null ? null : board.entries[entry])),
})));

const makeOverall = (acts) => {
  const marks = overallMarks();
  const columns = [
    NARROW_RANK, NARROW_NAME,
    {
      key: "mean", heading: "Mean, %", kind: "score", least: "var(--mean)", flex: 1,
      first: DESCENDING, value: (row) => row.mean?.value ?? null, axis,
      fill: (cell, { mean }) => {
        if (mean === null) cell.append(none(), hidden("not in all tests"));
        else scoreCell(cell, mean, make("span", "", percent(mean.value)), marks);
      },
    },
  ];
  board.overall_tests.forEach((test, place) => {
    const { key, name, chance } = board.tests[test];
    columns.push(heat(`test:${key}`, name, `${isolate(name)}, chance ${percent(chance)} %`,
      (row) => row.entries[place]?.accuracy ?? null, chance,
      (row, figure) => figureText(percent(figure.value), row.entries[place])));
  });
  return makeTable({
    label: "All tests", columns, rows: overallRows(), matrix: true, usual: "mean", ...acts,
  });
};

const overallLegend = () => legend([
  ...scoreKeys("mean of the tests, where all were asked", overallMarks()), ...MATRIX_LEGEND,
]);
