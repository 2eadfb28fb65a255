// How the scores of each model, method and rung went over the versions of a suite.
const COLOURS = 8;

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
      if (isBaseline(entry) || !entry.accuracy) continue;
      const key = identity(entry);
      if (!seen.has(key)) {
        seen.set(key, { ...rowOf(entry, seen.size), entry: null, key, entries: tests.map(() => null) });
      }
      seen.get(key).entries[place] ??= entry;
    }
  });
  const rows = [...seen.values()];
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
    usual: columns.at(-1).key, ...acts, onOpen: null,
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
    const width = Math.max(300, chart.clientWidth || 900);
    const height = Math.round(Math.min(440, Math.max(320, width * 0.42)));
    const names = width > 640 ? 250 : 20;
    const edges = { left: 50, right: names, top: 30, bottom: 48 };
    const { svg, add, vertical } = makeChart(`${suite}: accuracy by version`, width, height, edges);
    const figures = shown.flatMap((row) => row.entries).filter(Boolean).map((entry) => entry.accuracy);
    if (figures.length === 0) {
      chart.replaceChildren(make("p", "nothing", "No such model here."));
      return;
    }
    const chances = tests.map((index) => board.tests[index].chance);
    const values = figures.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value]);
    const scale = makeScale([...values, ...chances], true, height - edges.bottom, edges.top, 5);
    vertical(scale, true, "Accuracy, %");
    const span = width - edges.left - edges.right - 40;
    const at = (place) => edges.left + 20 + (span * place) / (tests.length - 1);
    tests.forEach((index, place) => {
      add("text", { class: "tick", x: at(place), y: height - edges.bottom + 18, "text-anchor": "middle" }, labels[place]);
      const y = scale.at(chances[place]);
      add("line", { class: "chance-line", x1: at(place) - 14, x2: at(place) + 14, y1: y, y2: y });
    });
    add("text", { class: "axis-name", x: width - edges.right, y: height - 6, "text-anchor": "end" }, "Version \u2192");
    const labelled = [];
    shown.forEach((row, order) => {
      const known = row.entries.map((entry, place) => ({ entry, place })).filter(({ entry }) => entry);
      // Beside each other, so that the intervals of one version do not hide each other.
      const nudge = shown.length > 1 && shown.length <= COLOURS
        ? 16 * (order / (shown.length - 1) - 0.5) : 0;
      const spot = ({ entry, place }) => [at(place) + nudge, scale.at(entry.accuracy.value)];
      const words = [row.name, row.method, row.rung].filter(Boolean).join(", ");
      const says = known.map(({ entry, place }) => `version ${labels[place]} ${percent(entry.accuracy.value)} %`);
      const name = `${words}: ${says.join(", ")}`;
      const colour = shown.length <= COLOURS ? `c${order}` : "c-plain";
      const group = add("g", { class: `run ${colour}`, tabindex: "0", role: "img" });
      group.setAttribute("aria-label", visible(name));
      group.append(draw("path", { d: `M${known.map((one) => spot(one).join(",")).join("L")}` }));
      for (const one of known) {
        const [x, y] = spot(one);
        const { low, high } = one.entry.accuracy;
        if (low !== null && high !== null) {
          group.append(draw("line", { class: "interval", x1: x, x2: x, y1: scale.at(low), y2: scale.at(high) }));
        }
        group.append(draw("circle", { cx: x, cy: y, r: 4 }));
      }
      for (const event of ["pointerenter", "focus"]) {
        group.addEventListener(event, () => { readout.textContent = visible(name); });
      }
      if (names > 100) labelled.push({ row, group, y: spot(known.at(-1))[1], place: known.at(-1).place });
    });
    // Names beside the lines' ends, from top to bottom, none on another; where they are too
    // many to stand beside their lines, there are none.
    labelled.sort((a, b) => a.y - b.y);
    const roomy = labelled.length * 15 < height - edges.top - edges.bottom;
    let least = 0;
    for (const { row, group, y, place } of roomy ? labelled : []) {
      const middle = Math.max(y + 4, least);
      least = middle + 15;
      group.append(draw("text", { class: "dot-name", x: at(place) + 16, y: middle }, shortName(row, shown)));
    }
    chart.replaceChildren(svg);
    readout.textContent = "Each line is one model with one method and rung; all figures are in the table.";
  };
  const update = (asked) => {
    wanted = asked.wanted;
    redraw();
    return table.update(asked);
  };
  onWidth(chart, redraw);
  return { ...table, node, update };
};
