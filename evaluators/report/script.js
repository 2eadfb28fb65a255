"use strict";
// Everything in the data is text from a dataset or a model: it is only ever set as
// textContent, or as the bytes of a picture.
(() => {
  const PAGE = 20;
  const { problems, samples } = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const filters = ["outcome", "category", "task", "level"];
  const value = {
    outcome: (sample) => sample.outcome,
    category: (sample) => problems[sample.problem].category,
    task: (sample) => problems[sample.problem].task,
    level: (sample) => String(problems[sample.problem].level),
  };
  const prompts = {};
  for (const [id, problem] of Object.entries(problems)) {
    prompts[id] = problem.turns.map(([, words]) => words).join("\n");
  }
  let found = samples;
  let page = 0;

  function make(tag, text, className) {
    const element = document.createElement(tag);
    if (text !== undefined && text !== null) element.textContent = text;
    if (className) element.className = className;
    return element;
  }

  function answer(problem, letter) {
    if (letter === null) return "none";
    const option = problem.options["ABCDEFGHIJKLMNOPQRSTUVWXYZ".indexOf(letter)];
    return option === undefined ? letter : `${letter}. ${option}`;
  }

  // The reply with what was read for its answer marked: the boxes after the last thought,
  // or else the last line. The verdict is the scorer's; this only shows where it looked.
  function marked(sample) {
    const pre = make("pre");
    const reply = sample.reply;
    if (sample.extracted === null) {
      pre.textContent = reply;
      return pre;
    }
    let start = 0;
    for (const end of reply.matchAll(/<\/[a-z:]*think[a-z]*>|\[\/think\]|<\|end_of_thought\|>/gi)) {
      start = end.index + end[0].length;
    }
    const places = [...reply.matchAll(/\\(?:boxed|fbox)\s{0,8}\{[^{}]{0,400}\}/g)]
      .map((box) => [box.index, box.index + box[0].length])
      .filter(([from]) => from >= start);
    if (places.length === 0) {
      const end = reply.trimEnd().length;
      places.push([Math.max(start, reply.lastIndexOf("\n", end - 1) + 1), end]);
    }
    let at = 0;
    for (const [from, to] of places) {
      pre.append(reply.slice(at, from), make("mark", reply.slice(from, to)));
      at = to;
    }
    pre.append(reply.slice(at));
    return pre;
  }

  function side(title, ...children) {
    const box = make("div");
    box.append(make("h4", title), ...children);
    return box;
  }

  function card(sample) {
    const problem = problems[sample.problem];
    const article = make("article");
    const heading = make("h3", sample.problem);
    heading.append(
      make("span", sample.outcome, `outcome ${sample.outcome}`),
      make("span", `${problem.task}, level ${problem.level}`),
    );
    if (sample.epoch > 0) heading.append(make("span", `sample ${sample.epoch + 1}`));
    const prompt = problem.images.map((source) => {
      const image = make("img");
      image.src = source;
      image.alt = "The picture shown with the prompt";
      return image;
    });
    for (const [role, words] of problem.turns) {
      if (problem.turns.length > 1) prompt.push(make("h5", role));
      prompt.push(make("pre", words));
    }
    const sides = make("div", null, "sides");
    const reply = sample.error === null ? marked(sample) : make("pre", sample.error);
    const thoughts = sample.thinking ? [make("h5", "thinking"), make("pre", sample.thinking)] : [];
    sides.append(
      side("Prompt", ...prompt),
      side(sample.error === null ? "Reply" : "Error", ...thoughts, reply),
    );
    const list = make("dl");
    const entry = (name, text) => list.append(make("dt", name), make("dd", text));
    entry("Read", answer(problem, sample.extracted));
    entry("Key", answer(problem, problem.target));
    if (problem.solution) entry("Solution", problem.solution);
    entry(
      "Reply",
      `${sample.completion_tokens} tokens` +
        (sample.thinking_tokens ? ` (${sample.thinking_tokens} thinking)` : "") +
        ` in ${sample.seconds.toFixed(2)} s, ended by ${sample.finish_reason}; ` +
        `prompt ${sample.prompt_tokens} tokens`,
    );
    article.append(heading, sides, list);
    return article;
  }

  function show() {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(Math.max(0, page), pages - 1);
    byId("list").replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(card));
    byId("count").textContent = `${found.length} of ${samples.length} samples`;
    byId("place").textContent = `${page + 1} of ${pages}`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page === pages - 1;
  }

  function filter() {
    const wanted = filters.filter((name) => byId(name).value !== "");
    const words = byId("text").value.trim().toLowerCase();
    found = samples.filter(
      (sample) =>
        wanted.every((name) => value[name](sample) === byId(name).value) &&
        (words === "" ||
          [sample.problem, sample.reply, sample.error || "", sample.thinking, prompts[sample.problem]].some(
            (text) => text.toLowerCase().includes(words),
          )),
    );
    page = 0;
    show();
  }

  // The filters stand in the URL's hash, so that another page can lead to the samples behind a
  // figure. Each change takes the place of the one before: back leads to that page again.
  const parts = [...filters, "text"];
  let rest = 0;

  function readHash() {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const name of parts) {
      byId(name).value = given.get(name) ?? "";
      // What no sample has is no filter.
      if (byId(name).selectedIndex === -1) byId(name).value = "";
    }
    filter();
    return parts.some((name) => byId(name).value !== "");
  }

  function writeHash() {
    const given = new URLSearchParams();
    for (const name of parts) if (byId(name).value !== "") given.set(name, byId(name).value);
    history.replaceState(null, "", `${location.href.split("#")[0]}#${given}`);
  }

  for (const name of filters) {
    const counts = new Map();
    for (const sample of samples) {
      const key = value[name](sample);
      counts.set(key, (counts.get(key) || 0) + 1);
    }
    for (const key of [...counts.keys()].sort()) {
      const option = make("option", `${key} (${counts.get(key)})`);
      option.value = key;
      byId(name).append(option);
    }
    byId(name).addEventListener("change", () => {
      filter();
      writeHash();
    });
  }
  byId("text").addEventListener("input", () => {
    filter();
    // Browsers refuse a hash that changes with every letter.
    clearTimeout(rest);
    rest = setTimeout(writeHash, 250);
  });
  addEventListener("hashchange", readHash);
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  const turn = (step) => () => {
    page += step;
    show();
    byId("samples").scrollIntoView();
  };
  byId("previous").addEventListener("click", turn(-1));
  byId("next").addEventListener("click", turn(1));
  if (readHash()) byId("samples").scrollIntoView();
})();
