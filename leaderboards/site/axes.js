// The axes of the charts: nice ticks, a logarithm where values span more than SPAN.
const SPAN = 20;

const niceStep = (size) => {
  const unit = 10 ** Math.floor(Math.log10(size));
  return unit * [1, 2, 5, 10].find((step) => step * unit >= size * 0.999);
};

const linearTicks = (low, high, count) => {
  const step = niceStep((high - low) / count);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, place) => (first + place) * step);
};

// A scale from values to pixels, from `start` to `end`. Shares stay within 0 and 1; what is not
// positive stands at the start of a logarithmic scale, apart from the rest.
const makeScale = (values, share, start, end, count) => {
  const positive = values.filter((value) => value > 0);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const log = !share && positive.length > 1 && low >= 0 && high > SPAN * Math.min(...positive);
  if (!log) {
    const margin = (high - low || Math.abs(high) || 1) * 0.04;
    const ends = share ? [Math.max(0, low - margin), Math.min(1, high + margin)]
      : [Math.min(0, low), high + margin];
    const ticks = linearTicks(...ends, count);
    const [first, last] = [ticks[0], ticks.at(-1)];
    const at = (value) => start + ((end - start) * (value - first)) / (last - first);
    return { at, ticks, log };
  }
  const gap = low === 0 ? Math.sign(end - start) * 44 : 0;
  const [first, last] = [Math.log10(Math.min(...positive) / 1.25), Math.log10(high * 1.25)];
  const at = (value) => value > 0
    ? start + gap + ((end - start - gap) * (Math.log10(value) - first)) / (last - first)
    : start + gap / 3;
  const ticksAt = (steps) => {
    const powers = Array.from({ length: Math.ceil(last - first) + 2 },
      (_, place) => Math.floor(first) + place);
    return powers.flatMap((power) => steps.map((step) => step * 10 ** power))
      .filter((tick) => Math.log10(tick) >= first && Math.log10(tick) <= last);
  };
  // The finest that are not too many; a single one would not tell the scale.
  const choices = [[1, 2, 5], [1, 3], [1]].map(ticksAt).filter((choice) => choice.length > 1);
  const ticks = choices.find((choice) => choice.length <= count) ?? choices.at(-1);
  return { at, ticks: gap ? [0, ...ticks] : ticks, log };
};

const tickText = (share) => (value) =>
  share ? String(Math.round(1000 * value) / 10) : brief.format(value);

// The frame of a chart: an SVG of so many pixels; `edges` are where its axes lie.
const makeChart = (label, width, height, { left, right, top, bottom }) => {
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group" });
  svg.setAttribute("aria-label", visible(label));
  const add = (tag, attributes, text) => {
    const node = draw(tag, attributes, text);
    svg.append(node);
    return node;
  };
  const flat = (name) =>
    add("text", { class: "axis-name end", x: right, y: height - 6 }, `${name} \u2192`);
  const vertical = (scale, share, name) => {
    for (const tick of scale.ticks) {
      const y = scale.at(tick);
      add("line", { class: "grid", x1: left, x2: right, y1: y, y2: y });
      add("text", { class: "tick end", x: left - 8, y: y + 4 }, tickText(share)(tick));
    }
    add("text", { class: "axis-name", x: 12, y: 17 }, `${name} \u2191`);
  };
  const across = (scale, share, name) => {
    for (const tick of scale.ticks) {
      const x = scale.at(tick);
      add("line", { class: "grid", x1: x, x2: x, y1: top, y2: bottom });
      add("text", { class: "tick middle", x, y: bottom + 18 }, tickText(share)(tick));
    }
    flat(name);
  };
  const interval = (x1, y1, x2, y2) => add("line", { class: "interval", x1, y1, x2, y2 });
  // What a part of the chart is, to all who reach it: told below the chart, too. `words` is an
  // element, in which names are isolated.
  const name = (node, words, tell) => {
    node.setAttribute("aria-label", words.textContent);
    for (const event of ["pointerenter", "focus"]) node.addEventListener(event, () => tell(words));
  };
  return { svg, add, vertical, across, flat, interval, name };
};

// A name in a chart; each of its parts is isolated, as `bdi` does it.
const drawName = (parts, attributes) => {
  const text = draw("text", { class: "dot-name", ...attributes });
  parts.forEach((part, place) => {
    text.append(...(place > 0 ? [", "] : []), draw("tspan", {}, part));
  });
  return text;
};

// Draws anew whenever its width is another.
const onWidth = (node, redraw) => {
  let width = 0;
  new ResizeObserver(() => {
    if (node.clientWidth !== width && node.clientWidth > 0) {
      width = node.clientWidth;
      redraw();
    }
  }).observe(node);
};
