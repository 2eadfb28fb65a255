// What stands in a table's cells. A track spans 0 to 100 %; --v (bar), --lo and --hi (whisker)
// and --c (mark) are percentages of it.
const KINDS = {
  perfect: "knows the key", random: "picks at random", scripted: "follows a script",
  chance: "one over the options",
};

const link = (text, address, label) => {
  const node = make("a", "", text);
  node.href = address;
  if (label) node.setAttribute("aria-label", visible(label));
  return node;
};

// The address of the run's samples that a figure is the share of.
const samplesOf = (entry, slice, name) => {
  if (entry.samples === null || slice === "") return entry.samples;
  return `${entry.samples}#${slice}=${encodeURIComponent(name.toWellFormed?.() ?? name)}`;
};

// A figure's number, which leads to its samples where there are any.
const figureText = (text, entry, slice = "", name = "") => {
  const address = samplesOf(entry, slice, name);
  return address === null ? make("span", "", text) : link(text, address);
};

// An outcome's share: what no reply came to has no samples to lead to.
const outcomeText = (text, entry, name) => own(entry.outcomes, name) > 0
  ? figureText(text, entry, "outcome", name)
  : make("span", "", text);

const none = () => make("span", "faint", "\u2013");

// A cell without a figure, which a phone's card leaves out.
const leaveEmpty = (cell) => {
  cell.classList.add("empty");
  cell.append(none());
};

const mark = (share, kind = "") => {
  const node = make("span", `mark${kind}`);
  node.style.setProperty("--c", 100 * share);
  return node;
};

const track = (figure, ...marks) => {
  const node = make("div", "track");
  const bar = make("span", "bar");
  bar.style.setProperty("--v", 100 * figure.value);
  node.append(bar, ...marks);
  if (figure.low !== null && figure.high !== null) {
    const whisker = make("span", "whisker");
    whisker.style.setProperty("--lo", 100 * figure.low);
    whisker.style.setProperty("--hi", 100 * figure.high);
    node.append(whisker);
  }
  node.setAttribute("aria-hidden", "true");
  return node;
};

const rankCell = (cell, { standing }) => {
  if (standing.rank === null) {
    cell.append(hidden("unranked"));
    return;
  }
  cell.append(make("b", "", String(standing.rank)));
  if (standing.tied) {
    const sign = make("span", "tie", "=");
    sign.setAttribute("aria-hidden", "true");
    cell.append(sign, hidden(" tied"));
  }
  if (standing.above) {
    const { effect, p_value: p, test } = standing.above;
    const size = p < 0.001 ? "p < 0.001" : `p = ${brief.format(p)}`;
    cell.title = `${percent(Math.abs(effect))} points from the model ranked above ` +
      `(${test === "McNemar" ? "McNemar\u2019s test" : `${test} test`}, ${size} after Holm)`;
  }
};

const tags = (row) => {
  const { entry } = row;
  const found = [];
  if (row.flagged) found.push(make("span", "tag warn", "large gap"));
  if (row.baseline) {
    found.push(make("span", "tag", "baseline"));
  } else if (entry?.partial) {
    const asked = board.tests[entry.test].problems;
    const count = entry.problems >= asked
      ? "unfinished"
      : `${whole.format(entry.problems)} of ${whole.format(asked)} problems`;
    found.push(make("span", "tag warn", count));
  }
  if (entry?.errors) {
    const errors = `${whole.format(entry.errors)} error${entry.errors === 1 ? "" : "s"}`;
    found.push(make("span", "tag warn", errors));
  }
  return found;
};

// The name, its organisation paler, and below it what must be known beside it.
const nameCell = (cell, row, opener) => {
  const name = make("bdi");
  const slash = row.baseline ? -1 : row.name.lastIndexOf("/");
  if (slash >= 0) name.append(make("span", "org", row.name.slice(0, slash + 1)));
  name.append(visible(row.name.slice(slash + 1)));
  const head = opener ?? make("span", "name fixed");
  head.append(name);
  cell.append(head);
  const notes = [own(KINDS, row.kind) ?? row.method, row.rung, row.seedNote];
  const line = make("p", "sub");
  line.append(...tags(row));
  notes.filter(Boolean).forEach((note, place) => {
    if (place > 0) line.append(" \u00b7 ");
    line.append(bdi(note));
  });
  if (line.firstChild) cell.append(line);
};

// A score in figures and drawn, with marks for chance and for the best blind predictor.
const scoreCell = (cell, figure, content, { chance, blind }) => {
  const head = make("div", "fig");
  const value = make("b");
  value.append(content);
  head.append(value);
  if (interval(figure)) {
    head.append(make("span", "", `${percent(figure.low)} to ${percent(figure.high)}`));
  }
  const marks = [mark(chance)];
  if (blind !== null) marks.push(mark(blind, " blind"));
  cell.title = said(figure);
  cell.append(head, track(figure, ...marks));
};

const accuracyCell = (cell, { entry }) => {
  const figure = entry.accuracy;
  if (figure === null) {
    cell.append(none());
    return;
  }
  scoreCell(cell, figure, figureText(percent(figure.value), entry), board.tests[entry.test]);
};

const levelsCell = (cell, { entry }) => {
  const test = board.tests[entry.test];
  const named = Object.keys(test.levels).map((name) => [name, own(entry.levels, name)])
    .filter(([, figure]) => figure !== null);
  if (named.length === 0) {
    leaveEmpty(cell);
    return;
  }
  const words = (written) => named.map(([name, figure]) =>
    `${written(levelPhrase(name))} ${percent(figure.value)} %`).join(", ");
  // One line can stand for chance only where all levels have the same.
  const plain = new Set(Object.values(test.levels)).size > 1 ? " plain" : "";
  const steps = make("div", `steps${plain}`);
  steps.setAttribute("aria-hidden", "true");
  steps.style.setProperty("--c", 100 * test.chance);
  for (const [, figure] of named) {
    const step = make("i");
    step.style.setProperty("--v", 100 * figure.value);
    steps.append(step);
  }
  cell.title = words(isolate);
  cell.append(steps, hidden(words(visible)));
};

// A figure as a number on a shade: none up to chance, full at 100 %. Paler where the interval
// does not tell it from chance.
const heatCell = (cell, figure, chance, content) => {
  if (figure === null) {
    cell.append(none());
    return;
  }
  const share = chance < 1 ? (figure.value - chance) / (1 - chance) : 0;
  cell.classList.add(`s${Math.round(10 * Math.min(1, Math.max(0, share)))}`);
  if (figure.low !== null && figure.low <= chance && chance <= figure.high) cell.classList.add("even");
  content.title = said(figure);
  cell.append(content);
};
