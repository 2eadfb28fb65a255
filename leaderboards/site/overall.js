// All tests side by side: one row a model, method and rung, with the mean over the tests.
const makeOverall = (acts) => {
  const rows = board.overall.map((one, place) => ({
    key: String(place), place, name: one.name, method: one.method, rung: one.rung,
    baseline: one.kind !== "model", mean: one.mean,
    entries: one.entries.map((entry) => (entry === null ? null : board.entries[entry])),
  }));
  const columns = [
    { ...NARROW_NAME, kind: "who stay first", flex: 1.5 },
    {
      key: "mean", heading: "Mean, %", kind: "score", least: "150px", flex: 1,
      first: DESCENDING, value: (row) => row.mean, axis,
      fill: (cell, row) => {
        if (row.mean === null) {
          cell.append(none(), hidden("not in all tests"));
          return;
        }
        const head = make("div", "fig");
        head.append(make("b", "", percent(row.mean)));
        cell.append(head, track({ value: row.mean, low: null, high: null }));
      },
    },
  ];
  board.overall_tests.forEach((test, place) => {
    const { chance } = board.tests[test];
    const name = testName(board.tests[test]);
    columns.push(heat(`test:${board.tests[test].key}`, name, `${name}, chance ${percent(chance)} %`,
      (row) => row.entries[place]?.accuracy ?? null, chance,
      (row, figure) => figureText(percent(figure.value), row.entries[place])));
  });
  return makeTable({
    label: "All tests", columns, rows, matrix: true, usual: "mean", ...acts, onOpen: null,
  });
};

const OVERALL_LEGEND = ["k-bar", "mean of the tests, where all were asked"];
