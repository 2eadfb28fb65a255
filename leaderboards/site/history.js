// How the scores of each model, method, rung and seed went over the versions of a suite: those of
// whole runs, since an unfinished one was asked something else.
// The public tests of one suite, split and modality, by version; fewer than two versions: none.
const lineageOf = (test) => {
  const { suite, split, modality, fresh_of: fresh } = board.tests[test];
  if (fresh !== null) return [];
  const same = board.tests.map((one, index) => ({ one, index })).filter(({ one }) =>
    one.suite === suite && one.split === split && one.modality === modality && one.fresh_of === null);
  same.sort((a, b) => compare(a.one.suite_version, b.one.suite_version));
  const versions = new Set(same.map(({ one }) => one.suite_version));
  return versions.size > 1 ? same.map(({ index }) => index) : [];
};

const makeHistory = (test, acts) => {
  const tests = lineageOf(test);
  const seen = new Map();
  tests.forEach((index, place) => {
    for (const entry of entriesOf(index)) {
      if (isBaseline(entry) || entry.partial || !entry.accuracy) continue;
      const key = identity(entry);
      if (!seen.has(key)) {
        const entries = tests.map(() => null);
        seen.set(key, { ...rowOf(entry, seen.size), entry: null, opens: false, key, entries });
      }
      seen.get(key).entries[place] ??= entry;
    }
  });
  const rows = noteSeeds([...seen.values()]);
  // Two datasets of one version are told apart by their digests.
  const labels = tests.map((index) => {
    const version = board.tests[index].suite_version;
    const alone = tests.filter((other) => board.tests[other].suite_version === version).length === 1;
    return alone ? version : `${version} (${digestBrief(board.tests[index])})`;
  });
  const columns = [{ ...NARROW_NAME, kind: "who stay first", flex: 1.5 }];
  tests.forEach((index, place) => {
    const { chance, key } = board.tests[index];
    columns.push(heat(`test:${key}`, `Version ${labels[place]}`, `chance ${percent(chance)} %`,
      (row) => row.entries[place]?.accuracy ?? null, chance,
      (row, figure) => figureText(percent(figure.value), row.entries[place])));
  });
  const suite = `${heading(board.tests[test].suite)}, ${board.tests[test].modality}`;
  const table = makeTable({
    label: `${suite}: accuracy by version`, columns, rows, matrix: true,
    usual: columns.at(-1).key, ...acts,
  });

  const node = make("div", "history");
  const chart = make("div", "chart");
  const readout = make("p", "readout");
  node.append(legend([
    ["k-line", "a model, with 95 % intervals"], ["k-chance flat", "chance"],
  ]), chart, readout, table.node);

  let wanted = () => true;
  const redraw = () => {
    const shown = rows.filter(wanted);
    const tell = (words) => readout.replaceChildren(words);
    if (shown.length === 0) {
      chart.replaceChildren(make("p", "nothing", "No such model here."));
      tell("");
      return;
    }
    const colours = rows.length <= COLOURS ? rows : shown;
    chart.replaceChildren(drawLines(suite, tests, labels, shown, colours, chart.clientWidth || 900, tell));
    tell("Each line is one model with one method, rung and seed; all figures are in the table.");
  };
  const update = (asked) => {
    wanted = asked.wanted;
    redraw();
    return table.update(asked);
  };
  onWidth(chart, redraw);
  return { ...table, node, update };
};
