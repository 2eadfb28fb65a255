// The notes on how to read the page: those that this board has use for.
const startNotes = () => {
  const has = {
    blind: board.tests.some((test) => test.blind !== null), twins: hasTwins(board.entries),
    rung: board.entries.some((entry) => entry.rung || entry.method),
  };
  for (const node of document.querySelectorAll("[data-note]")) node.hidden = !has[node.dataset.note];
};
