// The board as the page reads it. Addresses that are not plainly relative are dropped here,
// once, so that everything after may follow what it finds.
const board = JSON.parse(byId("board-data").textContent);

const PLAIN = /^(?:\.\.\/){0,3}[\w.~%+@=,-]+(?:\/[\w.~%+@=,-]+)*$/;
const DOTS = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i;
const relative = (address) =>
  typeof address === "string" && PLAIN.test(address) &&
  !DOTS.test(address.replace(/^(?:\.\.\/){1,3}/, "")) ? address : null;

for (const entry of board.entries) {
  entry.samples = relative(entry.samples);
  entry.record = relative(entry.record);
}

const isBaseline = (entry) => entry.kind !== "model";
const entriesOf = (test) => board.entries.filter((entry) => entry.test === test);
const identity = (row) => JSON.stringify([row.name, row.method, row.rung]);

const testName = (test) => {
  const name = `${heading(test.suite)} ${test.suite_version}, ${test.modality}`;
  return test.fresh_of === null ? name : `${name}, fresh draw`;
};
const testChoice = (test) => `${testName(test)} (${test.split} split)`;
const digestBrief = (test) => test.data.slice(test.data.lastIndexOf(":") + 1).slice(0, 12);

// What a row of any table has; the rest of it is the view's own.
const rowOf = (entry, place) => ({
  key: entry.key, place, entry, name: entry.name, method: entry.method, rung: entry.rung,
  baseline: isBaseline(entry),
});

// A short name for a chart: what follows the organisation, and as much of method and rung as
// tells it from the `rows` of the same name.
const LABEL = 26;
const shortName = (row, rows) => {
  const cut = row.baseline ? row.name : row.name.slice(row.name.lastIndexOf("/") + 1);
  const same = rows.filter((other) => other.name === row.name);
  const differ = (part) => new Set(same.map((other) => other[part])).size > 1;
  const text = cut.length > LABEL ? `${cut.slice(0, LABEL - 1)}\u2026` : cut;
  return [text, differ("method") && row.method, differ("rung") && row.rung].filter(Boolean).join(", ");
};
