// What a row opens into: the figures of each task and level, what became of the replies, and the
// settings of the run.
const lines = (entry, kind) => {
  const box = make("div");
  const { one, word } = SLICES[kind];
  const chances = board.tests[entry.test][kind];
  const names = Object.keys(chances).filter((name) => own(entry[kind], name) !== null);
  if (names.length === 0) return box;
  box.append(make("h3", "", `By ${one}`));
  for (const name of names) {
    const figure = own(entry[kind], name);
    const line = make("div", "line");
    const value = make("span");
    value.title = said(figure);
    value.append(figureText(percent(figure.value), entry, one, name));
    const label = make("span", "", word(name));
    label.title = visible(name);
    line.append(label, value, track(figure, mark(chances[name])));
    box.append(line);
  }
  return box;
};

const replies = (entry) => {
  const box = make("div");
  box.append(make("h3", "", "What became of the replies"));
  const stack = make("div", "stack");
  stack.setAttribute("aria-hidden", "true");
  const list = make("ul");
  for (const [name, share] of Object.entries(entry.outcomes)) {
    const piece = make("i", `o-${name}`);
    piece.style.setProperty("--v", 100 * share);
    if (share > 0) stack.append(piece);
    const item = make("li");
    const text = make("span");
    text.append(outcomeText(`${name} ${percent(share)} %`, entry, name));
    item.append(make("i", `o-${name}`), text);
    list.append(item);
  }
  box.append(stack, list);
  return box;
};

const settings = (entry) => {
  const box = make("div");
  const leads = [["Samples", entry.samples], ["Record (JSON)", entry.record]]
    .filter(([, address]) => address !== null);
  if (entry.settings.length === 0 && leads.length === 0) return box;
  box.append(make("h3", "", "The run"));
  const list = make("dl");
  for (const [name, value] of entry.settings) {
    list.append(make("dt", "", name), make("dd", "", value));
  }
  if (entry.settings.length > 0) box.append(list);
  const paragraph = make("p", "leads");
  for (const [text, address] of leads) {
    paragraph.append(link(text, address, `${text} of ${entry.name}`));
  }
  if (leads.length > 0) box.append(paragraph);
  return box;
};

const details = (entry) => {
  const panel = make("div", "panel");
  const left = make("div");
  left.append(lines(entry, "tasks"));
  const right = make("div");
  right.append(lines(entry, "levels"), replies(entry), settings(entry));
  panel.append(left, right);
  return panel;
};
