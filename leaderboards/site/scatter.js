// A scatter of runs with the frontier as a step line, and the same figures as a table. A dot has
// a row and a figure for each axis; `front` is the set of those on the frontier, best x first.
const CROWD = 40;
const DOT = 5;

const measured = (measure, figure) => measure.share
  ? `${percent(figure.value)} %${figure.low === null ? "" : ` (${interval(figure)})`}`
  : number(figure.value);

const drawScatter = ({ dots, front, x, y }, wide, leadTo, tell) => {
  const width = Math.max(300, wide);
  const height = Math.round(Math.min(540, Math.max(360, width * 0.5)));
  const [left, right, top, bottom] = [50, width - 24, 30, height - 48];
  const chart = makeChart(`${y.name} against ${x.name}`, width, height, { left, right, top, bottom });
  const ends = ({ value, low, high }) => [value, low ?? value, high ?? value];
  const scaleX = makeScale(dots.flatMap((dot) => ends(dot.x)), x.share, left, right, width < 600 ? 4 : 8);
  const scaleY = makeScale(dots.flatMap((dot) => ends(dot.y)), y.share, bottom, top, 6);
  const spot = (dot) => [scaleX.at(dot.x.value), scaleY.at(dot.y.value)];
  chart.vertical(scaleY, y.share, y.name);
  chart.across(scaleX, x.share, scaleX.log ? `${x.name} (logarithmic)` : x.name);

  if (front.size > 0) {
    let path = "";
    for (const dot of front) {
      const [cx, cy] = spot(dot);
      path += path ? `H${cx}V${cy}` : `M${cx},${y.up ? bottom : top}V${cy}`;
    }
    chart.add("path", { class: "front-line", d: `${path}H${x.up ? left : right}` });
  }
  for (const dot of dots) {
    const [cx, cy] = spot(dot);
    if (dot.y.low !== null && dot.y.high !== null) {
      chart.interval(cx, scaleY.at(dot.y.low), cx, scaleY.at(dot.y.high));
    }
    if (dot.x.low !== null && dot.x.high !== null) {
      chart.interval(scaleX.at(dot.x.low), cy, scaleX.at(dot.x.high), cy);
    }
  }
  const rest = dots.filter((dot) => !front.has(dot));
  for (const dot of [...rest, ...front]) {
    const [cx, cy] = spot(dot);
    const open = dot.row.baseline || dot.row.entry.partial;
    const lead = chart.add("a", {
      class: `dot${front.has(dot) ? " front" : ""}${open ? " open" : ""}`, href: leadTo(dot.row.key),
    });
    lead.dataset.key = dot.row.key;
    lead.append(draw("circle", { class: "reach", cx, cy, r: 12 }), draw("circle", { cx, cy, r: DOT }));
    chart.name(lead, sentence(...listed(fullName(dot.row)), ": ", bdi(y.name), ` ${measured(y, dot.y)}, `,
      bdi(x.name), ` ${measured(x, dot.x)}`), tell);
  }
  // Names of those on the frontier, and then of the rest unless they are too many.
  const named = dots.length > CROWD ? [...front] : [...front, ...rest];
  const taken = dots.map(spot).map(([cx, cy]) => [cx - DOT, cy - DOT, cx + DOT, cy + DOT]);
  const rows = dots.map((dot) => dot.row);
  for (const dot of named) {
    placeName(chart, spot(dot), shortName(dot.row, rows), taken, [left, top - 14, width - 4, bottom]);
  }
  return chart.svg;
};

// Writes a name beside a dot, above the step line if it can, where it meets nothing of `taken`
// and stays within `bounds`; nowhere if there is no such place. Boxes: left, top, right, bottom.
const placeName = (chart, [cx, cy], parts, taken, bounds) => {
  const size = 6.4 * parts.join(", ").length + 4;
  for (const [dx, dy] of [[7, -8], [-7, -8], [7, 17], [-7, 17]]) {
    const from = dx > 0 ? cx + dx : cx + dx - size;
    const box = [from, cy + dy - 11, from + size, cy + dy + 3];
    const inside = box[0] > bounds[0] && box[1] > bounds[1] && box[2] < bounds[2] && box[3] < bounds[3];
    const clear = taken.every((other) =>
      box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
    if (!inside || !clear) continue;
    taken.push(box);
    const text = drawName(parts, {
      x: cx + dx, y: cy + dy, "text-anchor": dx > 0 ? "start" : "end", "aria-hidden": "true",
    });
    chart.svg.append(text);
    return;
  }
};

const scatterTable = ({ dots, front, x, y }) => {
  const cells = (tag, texts, scope) => texts.map((text) => {
    const cell = make(tag, "", text);
    if (scope) cell.scope = scope;
    return cell;
  });
  const table = make("table", "simple");
  const head = make("thead");
  const top = make("tr");
  top.append(...cells("th", ["Model", y.name, x.name, "On the frontier"], "col"));
  head.append(top);
  const body = make("tbody");
  for (const dot of dots) {
    const line = make("tr");
    const figures = [measured(y, dot.y), measured(x, dot.x), front.has(dot) ? "yes" : "no"];
    const [name] = cells("th", [""], "row");
    name.append(...listed(fullName(dot.row)));
    line.append(name, ...cells("td", figures));
    body.append(line);
  }
  table.append(head, body);
  const frame = make("div", "frame");
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", "The figures of the chart");
  frame.append(table);
  return frame;
};
