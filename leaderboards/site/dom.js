// Elements and the words in them. What comes from the data goes through textContent and
// setAttribute alone, and control characters are made visible, those of the writing direction too.
const byId = (id) => document.getElementById(id);
const CONTROLS =
  /[\u0000-\u0008\u000b-\u001f\u007f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const visible = (text) => String(text).replace(CONTROLS, "\ufffd");

const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = visible(text);
  return node;
};

const draw = (tag, attributes = {}, text) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = visible(text);
  return node;
};

// A name among other words is isolated, so that one written from right to left does not reorder
// them: by an element, or by characters in a hint, which can hold none.
const bdi = (text) => make("bdi", "", text);
const isolate = (text) => `\u2068${visible(text)}\u2069`;
const sentence = (...parts) => {
  const node = make("span");
  node.append(...parts);
  return node;
};
const listed = (names) =>
  names.flatMap((name, place) => (place > 0 ? [", ", bdi(name)] : [bdi(name)]));

const hidden = (text) => make("span", "hidden-text", text);

const choose = (select, pairs, chosen) => {
  select.replaceChildren(...pairs.map(([value, text]) => {
    const option = make("option", "", text);
    option.value = value;
    return option;
  }));
  select.value = chosen;
};

// A map's own value: names come from outside, and "constructor" is one that any object has.
const own = (map, name) => (map && Object.hasOwn(map, name) ? map[name] : null);

// Shares as percentages with one decimal place, halves up.
const percent = (share) => (Math.floor(1000 * share + 0.5) / 10).toFixed(1);
const points = (share) => (share < 0 ? "\u2212" : "+") + percent(Math.abs(share));
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const brief = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const number = (value) => (Math.abs(value) >= 100 ? whole : brief).format(value);

const phrase = (name) => name.replaceAll("_", " ");
const heading = (name) => phrase(name.charAt(0).toUpperCase() + name.slice(1));
const taskPhrase = (name) => phrase(name.slice(name.indexOf("/") + 1));
const levelPhrase = (name) => (/^\d+$/.test(name) ? `level ${name}` : phrase(name));
const counted = (count, word) => `${whole.format(count)} ${word}${count === 1 ? "" : "s"}`;

const interval = (figure) =>
  figure.low === null || figure.high === null
    ? ""
    : `95 % interval ${percent(figure.low)} to ${percent(figure.high)}`;
const said = (figure) => [interval(figure), `${whole.format(figure.problems)} problems`]
  .filter(Boolean).join(", ");
