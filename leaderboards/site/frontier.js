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

const CROWD = 40;
const FIRST_CHOICE = ["quantity:cost per problem", "quantity:tokens per reply"];

// From the best x to the worst, those with a better y than all before them.
const paretoFront = (dots, x, y) => {
  const better = (measure, a, b) => (measure.up ? b - a : a - b);
  const sorted = [...dots].sort((a, b) =>
    better(x, a.x.value, b.x.value) || better(y, a.y.value, b.y.value));
  const front = [];
  for (const dot of sorted) {
    if (front.length === 0 || better(y, dot.y.value, front.at(-1).y.value) < 0) front.push(dot);
  }
  return front;
};

const makeFrontier = (test, { go, addressOf }) => {
  const entries = entriesOf(test);
  const rows = entries.map(rowOf);
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

  const text = (measure, figure) => measure.share
    ? `${percent(figure.value)} %${figure.low === null ? "" : ` (${interval(figure)})`}`
    : number(figure.value);

  let last = null;
  const redraw = () => {
    const { x, y, wanted } = last;
    const dots = rows.filter(wanted)
      .map((row) => ({ row, x: x.of(row.entry), y: y.of(row.entry) }))
      .filter((dot) => dot.x && dot.y);
    const front = paretoFront(dots.filter(({ row }) => !row.baseline && !row.entry.partial), x, y);
    drawDots(dots, front, x, y);
    figures.replaceChildren(make("summary", "", "The figures as a table"), dotTable(dots, front, x, y));
    return dots.length;
  };

  const drawDots = (dots, front, x, y) => {
    if (dots.length === 0) {
      chart.replaceChildren(make("p", "nothing", "No run here has both figures."));
      readout.textContent = "";
      return;
    }
    const width = Math.max(300, chart.clientWidth || 900);
    const height = Math.round(Math.min(540, Math.max(360, width * 0.5)));
    const edges = { left: 50, right: 24, top: 30, bottom: 48 };
    const { svg, add, vertical, across: horizontal } =
      makeChart(`${y.name} against ${x.name}`, width, height, edges);
    const ends = (figure) => [figure.value, figure.low ?? figure.value, figure.high ?? figure.value];
    const scaleX = makeScale(dots.flatMap((dot) => ends(dot.x)), x.share,
      edges.left, width - edges.right, width < 600 ? 4 : 8);
    const scaleY = makeScale(dots.flatMap((dot) => ends(dot.y)), y.share,
      height - edges.bottom, edges.top, 6);
    vertical(scaleY, y.share, y.name);
    horizontal(scaleX, x.share, scaleX.log ? `${x.name} (logarithmic)` : x.name);
    if (front.length > 0) {
      const [farX, farY] = [x.up ? edges.left : width - edges.right, y.up ? height - edges.bottom : edges.top];
      let path = `M${scaleX.at(front[0].x.value)},${farY}`;
      for (const dot of front) path += `H${scaleX.at(dot.x.value)}V${scaleY.at(dot.y.value)}`;
      add("path", { class: "front-line", d: `${path}H${farX}` });
    }
    const whisker = (figure, scale, fixed, upright) => {
      if (figure.low === null || figure.high === null) return;
      const [from, to] = [scale.at(figure.low), scale.at(figure.high)];
      add("line", upright
        ? { class: "interval", x1: fixed, x2: fixed, y1: from, y2: to }
        : { class: "interval", y1: fixed, y2: fixed, x1: from, x2: to });
    };
    for (const dot of dots) {
      whisker(dot.y, scaleY, scaleX.at(dot.x.value), true);
      whisker(dot.x, scaleX, scaleY.at(dot.y.value), false);
    }
    const onFront = new Set(front);
    const rest = dots.filter((dot) => !onFront.has(dot));
    const taken = dots.map((dot) => {
      const [cx, cy] = [scaleX.at(dot.x.value), scaleY.at(dot.y.value)];
      return [cx - 5, cy - 5, cx + 5, cy + 5];
    });
    for (const dot of [...rest, ...front]) {
      const [cx, cy] = [scaleX.at(dot.x.value), scaleY.at(dot.y.value)];
      const open = dot.row.baseline || dot.row.entry.partial;
      const words = [dot.row.name, dot.row.method, dot.row.rung].filter(Boolean).join(", ");
      const name = `${words}: ${y.name} ${text(y, dot.y)}, ${x.name} ${text(x, dot.x)}`;
      const lead = add("a", {
        class: `dot${onFront.has(dot) ? " front" : ""}${open ? " open" : ""}`,
        href: addressOf({ view: "scores", open: dot.row.key, sort: "", order: "" }),
      });
      lead.setAttribute("aria-label", visible(name));
      lead.dataset.key = dot.row.key;
      lead.append(draw("circle", { class: "reach", cx, cy, r: 12 }), draw("circle", { cx, cy, r: 5 }));
      for (const event of ["pointerenter", "focus"]) {
        lead.addEventListener(event, () => { readout.textContent = visible(name); });
      }
    }
    // Names where there is room, above the step line: those on the frontier, and then the rest
    // unless they are too many.
    const shown = dots.map((dot) => dot.row);
    for (const dot of dots.length > CROWD ? front : [...front, ...rest]) {
      const [cx, cy] = [scaleX.at(dot.x.value), scaleY.at(dot.y.value)];
      const short = shortName(dot.row, shown);
      const size = 6.4 * short.length + 4;
      const spots = [[7, -8, "start"], [-7, -8, "end"], [7, 17, "start"], [-7, 17, "end"]];
      for (const [dx, dy, anchor] of spots) {
        const from = anchor === "start" ? cx + dx : cx + dx - size;
        const box = [from, cy + dy - 11, from + size, cy + dy + 3];
        const inside = box[0] > edges.left && box[2] < width - 4 && box[1] > edges.top - 14 &&
          box[3] < height - edges.bottom;
        const clear = taken.every((other) =>
          box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
        if (!inside || !clear) continue;
        taken.push(box);
        add("text", { class: "dot-name", x: cx + dx, y: cy + dy, "text-anchor": anchor, "aria-hidden": "true" }, short);
        break;
      }
    }
    chart.replaceChildren(svg);
    readout.textContent = `${y.name} (${y.up ? "more" : "less"} is better) against ${x.name} ` +
      `(${x.up ? "more" : "less"} is better). A point leads to its row.`;
  };

  const dotTable = (dots, front, x, y) => {
    const onFront = new Set(front);
    const table = make("table", "simple");
    const head = make("tr");
    for (const title of ["Model", y.name, x.name, "On the frontier"]) {
      const cell = make("th", "", title);
      cell.scope = "col";
      head.append(cell);
    }
    const top = make("thead");
    top.append(head);
    const body = make("tbody");
    for (const dot of dots) {
      const line = make("tr");
      const name = make("th");
      name.scope = "row";
      name.append(make("bdi", "", dot.row.name));
      for (const note of [dot.row.method, dot.row.rung].filter(Boolean)) name.append(make("bdi", "note", note));
      line.append(name, make("td", "", text(y, dot.y)), make("td", "", text(x, dot.x)),
        make("td", "", onFront.has(dot) ? "yes" : "no"));
      body.append(line);
    }
    table.append(top, body);
    const frame = make("div", "frame");
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", "The figures of the chart");
    frame.append(table);
    return frame;
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
