// The board as the page reads it. Addresses that are not plainly relative are dropped here,
// once, so that everything after may follow what it finds; and what nobody could see or tell
// from another is given a name.
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

for (const one of [...board.entries, ...board.overall]) {
  if (!/[^\s\p{Cc}\p{Cf}]/u.test(one.name)) one.name = "(no name)";
}

const isBaseline = (one) => one.kind !== "model";
const entriesOf = (test) => board.entries.filter((entry) => entry.test === test);
const alike = (row) => JSON.stringify([row.name, row.method, row.rung]);
const identity = (row) => JSON.stringify([row.name, row.method, row.rung, row.seed]);

// A test's name has its split, and its digest, where that is what tells it from another.
const digestBrief = (test) => test.data.slice(test.data.lastIndexOf(":") + 1).slice(0, 12);
const testNames = (test) => {
  const drawn = test.fresh_of === null ? "" : ", fresh draw";
  const name = `${heading(test.suite)} ${test.suite_version}, ${test.modality}${drawn}`;
  const ofSplit = `${name}, ${test.split} split`;
  return [name, ofSplit, `${ofSplit}, data ${digestBrief(test)}`];
};
const nameTests = (tests) => {
  const names = tests.map(testNames);
  const alone = (name, form) => names.filter((other) => other[form] === name).length === 1;
  tests.forEach((test, place) => {
    test.name = names[place].find(alone) ?? names[place].at(-1);
  });
};
nameTests(board.tests);

// What a row of any table has; the rest of it is the view's own. `standing` has its rank, and
// `opens` tells whether there are details to open it into.
const rowOf = (entry, place) => ({
  key: entry.key, place, entry, name: entry.name, kind: entry.kind, method: entry.method,
  rung: entry.rung, seed: entry.seed, baseline: isBaseline(entry), standing: entry,
  opens: Boolean(entry.outcomes),
});

// The rows, with a note of the seed where only that tells one from another.
const noteSeeds = (rows) => {
  const seeds = new Map(rows.map((row) => [alike(row), new Set()]));
  for (const row of rows) seeds.get(alike(row)).add(row.seed);
  const noted = (row) => row.seed !== null && seeds.get(alike(row)).size > 1;
  return rows.map((row) => ({ ...row, seedNote: noted(row) ? `seed ${row.seed}` : "" }));
};

const fullName = (row) => [row.name, row.method, row.rung, row.seedNote].filter(Boolean);

// The parts of a short name for a chart: what follows the organisation, and as much of method,
// rung and seed as tells it from the `rows` of the same name.
const LABEL = 26;
const shortName = (row, rows) => {
  const cut = (!row.baseline && row.name.slice(row.name.lastIndexOf("/") + 1)) || row.name;
  const same = rows.filter((other) => other.name === row.name);
  const differ = (part) => new Set(same.map((other) => other[part])).size > 1;
  const text = cut.length > LABEL ? `${cut.slice(0, LABEL - 1)}\u2026` : cut;
  const telling = ["method", "rung", "seedNote"].filter(differ).map((part) => row[part]);
  return [text, ...telling].filter(Boolean);
};
