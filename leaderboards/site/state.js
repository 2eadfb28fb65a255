// What is shown, as the URL's hash says it. A part that is absent, or that means nothing on this
// board, stands for the usual; the usual is left out when the hash is written.
const PARTS = [
  "test", "view", "sort", "order", "find", "method", "rung", "baselines", "x", "y", "open",
];

const readHash = () => {
  const given = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(PARTS.map((part) => [part, given.get(part) ?? ""]));
};

const hashOf = (state) => {
  const parts = new URLSearchParams();
  for (const part of PARTS) if (state[part]) parts.set(part, state[part]);
  return `#${parts}`;
};

const writeHash = (state, replace) => {
  const address = location.href.split("#")[0] + hashOf(state);
  if (address === location.href) return;
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
};
