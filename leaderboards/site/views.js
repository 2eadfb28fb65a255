// The views: which there are for a test, and what builds each. Those of all tests are `wide`. A
// page that is built has a node, its rows, its columns, the column that is usually sorted by, and
// update(asked), which shows what is asked for and says how many rows that is.
const VIEWS = [
  { key: "overall", title: "Overall", wide: true, has: () => board.overall.length > 0,
    build: (_, acts) => makeOverall(acts), legend: overallLegend },
  { key: "scores", title: "Scores", has: () => true, build: makeScores, legend: scoresLegend },
  ...["categories", "tasks", "levels"].map((kind) => ({
    key: kind, title: heading(kind),
    has: (test) => Object.keys(board.tests[test][kind]).length > 0,
    build: (test, acts) => makeMatrix(kind, test, acts), legend: () => legend(MATRIX_LEGEND),
  })),
  { key: "frontier", title: "Frontier",
    has: (test) => hasFrontier(entriesOf(test)), build: makeFrontier },
  { key: "history", title: "History", has: (test) => lineageOf(test).length > 0, build: makeHistory },
  { key: "gaps", title: "Fresh twins", wide: true, has: () => board.gaps.length > 0,
    build: (_, acts) => makeGaps(acts) },
];
