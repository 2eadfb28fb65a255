// Public items against a fresh draw of the same recipe.
const GAPS_WORDS = "A fresh draw asks new items, made by the same recipe as the public test. A " +
  "large gap between the two says that a model met the public items before; the flagged gaps are " +
  "larger than their intervals explain.";

const makeGaps = (acts) => {
  const pair = (gap) => [board.entries[gap.public], board.entries[gap.fresh]];
  const rows = noteSeeds(board.gaps.map((gap, place) => {
    const [met, fresh] = pair(gap);
    return {
      ...rowOf(met, place), key: String(place), opens: false, gap, met, fresh, flagged: gap.flagged,
    };
  }));
  const several = new Set(rows.map((row) => row.met.test)).size > 1;
  const most = Math.max(0.05, ...board.gaps.flatMap(({ gap, low, high }) =>
    [gap, low ?? gap, high ?? gap].map(Math.abs)));
  const end = Math.ceil(20 * most - 1e-9) / 20;
  const figure = (key, name, of) => numbers(key, name, DESCENDING, (row) => of(row).accuracy?.value ?? null,
    (row) => {
      const text = make("span");
      text.title = said(of(row).accuracy);
      text.append(figureText(`${percent(of(row).accuracy.value)}\u00a0%`, of(row)));
      return text;
    });
  const columns = [{ ...NAME, kind: "who stay first" }];
  if (several) {
    columns.push({
      key: "test", heading: "Test", kind: "text", least: "150px", flex: 1,
      first: ASCENDING, labelled: true, value: (row) => board.tests[row.met.test].name,
      fill: (cell, row) => cell.append(bdi(board.tests[row.met.test].name)),
    });
  }
  columns.push(figure("public", "public", (row) => row.met), figure("fresh", "fresh", (row) => row.fresh), {
    key: "gap", heading: "Gap, points", kind: "score", least: "240px", flex: 2,
    first: DESCENDING, value: (row) => row.gap.gap,
    axis: () => axis([-1, -0.5, 0, 0.5, 1].map((part) =>
      (part === 0 ? "0" : points(part * end).replace(".0", "")))),
    fill: (cell, row) => cell.append(...gapCell(row.gap, end)),
  });
  const table = makeTable({
    label: "Public against fresh", columns, rows, matrix: false, usual: "gap", ...acts,
  });
  const node = make("div");
  node.append(make("p", "explained", GAPS_WORDS), legend([
    ["k-bar", "public less fresh"], ["k-whisker", "95 % interval"], ["k-zero", "no gap"],
  ]), table.node);
  return { ...table, node };
};

// The gap in figures and drawn around zero; `end` is what lies at either side of the track.
const gapCell = ({ gap, low, high, flagged }, end) => {
  const head = make("div", "fig");
  head.append(make("b", "", points(gap)));
  if (low !== null && high !== null) head.append(make("span", "", `${points(low)} to ${points(high)}`));
  const at = (value) => 50 + (50 * value) / end;
  const node = make("div", `track around${flagged ? " flagged" : ""}`);
  node.setAttribute("aria-hidden", "true");
  const bar = make("span", "bar");
  bar.style.setProperty("--from", at(Math.min(0, gap)));
  bar.style.setProperty("--v", at(Math.max(0, gap)) - at(Math.min(0, gap)));
  node.append(bar, make("span", "zero"));
  if (low !== null && high !== null) {
    const whisker = make("span", "whisker");
    whisker.style.setProperty("--lo", at(low));
    whisker.style.setProperty("--hi", at(high));
    node.append(whisker);
  }
  return [head, node];
};
