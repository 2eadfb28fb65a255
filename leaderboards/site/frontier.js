// Two quantities of each run against each other, and the runs that no other beats in both.
const measuresOf = (entries) => {
  const found = [
    { key: "accuracy", name: "Accuracy, %", share: true, up: true, of: (entry) => entry.accuracy },
    { key: "twins", name: "All twins, %", share: true, up: true, of: (entry) => entry.twins },
    ...quantitiesOf(entries).map((name) => ({
      key: `quantity:${name}`, name: heading(name), share: false, up: false,
      of: (entry) => {
        const value = own(entry.quantities, name);
        return value === null ? null : { value, low: null, high: null };
      },
    })),
  ];
  return found.filter((measure) => entries.some((entry) => entry.outcomes && measure.of(entry)));
};

const hasFrontier = (entries) => entries.some((entry) =>
  entry.outcomes && measuresOf([entry]).length > 1);

const FIRST_CHOICE = ["quantity:cost per problem", "quantity:tokens per reply"];

// From the best x to the worst, those with a better y than all before them; of runs that are equal
// in both, all.
const paretoFront = (dots, x, y) => {
  const better = (measure, a, b) => (measure.up ? b - a : a - b);
  const sorted = [...dots].sort((a, b) =>
    better(x, a.x.value, b.x.value) || better(y, a.y.value, b.y.value));
  const front = [];
  for (const dot of sorted) {
    const last = front.at(-1);
    const equal = last && dot.x.value === last.x.value && dot.y.value === last.y.value;
    if (!last || equal || better(y, dot.y.value, last.y.value) < 0) front.push(dot);
  }
  return front;
};

const makeFrontier = (test, { go, addressOf }) => {
  const entries = entriesOf(test);
  const rows = noteSeeds(entries.map(rowOf));
  const measures = measuresOf(entries);
  const pairs = measures.map((measure) => [measure.key, measure.name]);
  const node = make("div", "frontier");
  const choice = (part, name) => {
    const label = make("label", "field");
    const select = make("select");
    select.id = `axis-${part}`;
    select.addEventListener("change", () => go({ [part]: select.value }));
    label.append(make("span", "", name), select);
    return { label, select };
  };
  const [across, upward] = [choice("x", "Across"), choice("y", "Upwards")];
  const bar = make("div", "filters");
  bar.append(across.label, upward.label);
  const chart = make("div", "chart");
  const readout = make("p", "readout");
  const figures = make("details", "figures");
  node.append(bar, legend([
    ["k-dot", "a run, with its 95 % interval"], ["k-dot front", "beaten by no other in both"],
    ["k-dot open", "baseline or unfinished: not on the frontier"],
  ]), chart, readout, figures);

  const settle = (asked) => {
    const usualX = FIRST_CHOICE.find((key) => measures.some((one) => one.key === key))
      ?? measures.find((one) => !one.share)?.key ?? "twins";
    const pick = (key, usual) => (measures.some((one) => one.key === key) && key !== usual ? key : "");
    return { x: pick(asked.x, usualX), y: pick(asked.y, "accuracy"), usualX };
  };

  let last = null;
  const redraw = () => {
    const { x, y, wanted } = last;
    const dots = rows.filter(wanted)
      .map((row) => ({ row, x: x.of(row.entry), y: y.of(row.entry) }))
      .filter((dot) => dot.x && dot.y);
    const front = paretoFront(dots.filter(({ row }) => !row.baseline && !row.entry.partial), x, y);
    const scatter = { dots, front: new Set(front), x, y };
    if (dots.length === 0) {
      chart.replaceChildren(make("p", "nothing", "No run here has both figures."));
    } else {
      const leadTo = (key) => addressOf({ view: "scores", open: key, sort: "", order: "" });
      const tell = (words) => readout.replaceChildren(words);
      chart.replaceChildren(drawScatter(scatter, chart.clientWidth || 900, leadTo, tell));
    }
    const better = (measure) => `(${measure.up ? "more" : "less"} is better)`;
    readout.replaceChildren(bdi(y.name), ` ${better(y)} against `, bdi(x.name),
      ` ${better(x)}. A point leads to its row.`);
    figures.replaceChildren(make("summary", "", "The figures as a table"), scatterTable(scatter));
    return dots.length;
  };

  const update = (asked) => {
    const { x, y, usualX } = settle(asked);
    const measure = (key) => measures.find((one) => one.key === key);
    last = { x: measure(x || usualX), y: measure(y || "accuracy") ?? measures[0], wanted: asked.wanted };
    choose(across.select, pairs, last.x.key);
    choose(upward.select, pairs, last.y.key);
    return redraw();
  };
  onWidth(chart, () => { if (last) redraw(); });
  return { node, rows, columns: [], usual: "", settle, update };
};
