// Lines of accuracy over versions, one for each row, with intervals and with chance.
const COLOURS = 8;
const LINE = 15;

// `colours`: the rows in the order of their colours; more than there are have none.
const drawLines = (suite, tests, labels, rows, colours, wide, tell) => {
  const width = Math.max(300, wide);
  const height = Math.round(Math.min(440, Math.max(320, width * 0.42)));
  const names = width > 640 ? 250 : 0;
  const [left, right, top, bottom] = [50, width - names - 20, 30, height - 48];
  const chart = makeChart(`${suite}: accuracy by version`, width, height, { left, right, top, bottom });
  const chances = tests.map((index) => board.tests[index].chance);
  const values = rows.flatMap((row) => row.entries).filter(Boolean)
    .flatMap(({ accuracy: { value, low, high } }) => [value, low ?? value, high ?? value]);
  const scale = makeScale([...values, ...chances], true, bottom, top, 5);
  const at = (place) => left + 20 + ((right - left - 40) * place) / (tests.length - 1);
  chart.vertical(scale, true, "Accuracy, %");
  chart.flat("Version");
  labels.forEach((label, place) => {
    chart.add("text", { class: "tick middle", x: at(place), y: bottom + 18 }, label);
    const y = scale.at(chances[place]);
    chart.add("line", { class: "chance-line", x1: at(place) - 14, x2: at(place) + 14, y1: y, y2: y });
  });

  const coloured = colours.length <= COLOURS;
  const ends = rows.map((row) => {
    const order = colours.indexOf(row);
    const known = row.entries.map((entry, place) => ({ figure: entry?.accuracy, place }))
      .filter(({ figure }) => figure);
    // Beside each other, so that the intervals of one version do not hide each other.
    const nudge = coloured && colours.length > 1 ? 16 * (order / (colours.length - 1) - 0.5) : 0;
    const spot = ({ figure, place }) => [at(place) + nudge, scale.at(figure.value)];
    const group = chart.add("g", {
      class: `run ${coloured ? `c${order}` : "c-plain"}`, tabindex: "0", role: "img",
    });
    const says = known.flatMap(({ figure, place }) =>
      [", version ", bdi(labels[place]), ` ${percent(figure.value)} %`]).slice(1);
    chart.name(group, sentence(...listed(fullName(row)), ": version ", ...says), tell);
    group.append(draw("path", { d: `M${known.map((one) => spot(one).join(",")).join("L")}` }));
    for (const one of known) {
      const [x, y] = spot(one);
      const { low, high } = one.figure;
      if (low !== null && high !== null) group.append(chart.interval(x, scale.at(low), x, scale.at(high)));
      group.append(draw("circle", { cx: x, cy: y, r: 4 }));
    }
    return { row, group, x: at(known.at(-1).place) + 16, y: spot(known.at(-1))[1] };
  });

  // Names beside the lines' ends, from top to bottom and none on another; where they are too
  // many to stand beside their lines, there are none.
  if (names && ends.length * LINE < bottom - top) {
    let least = 0;
    for (const { row, group, x, y } of ends.sort((a, b) => a.y - b.y)) {
      const middle = Math.max(y + 4, least);
      least = middle + LINE;
      group.append(drawName(shortName(row, rows), { x, y: middle }));
    }
  }
  return chart.svg;
};
