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
    prompt.push(make("pre", problem.prompt));
    const sides = make("div", null, "sides");
    const reply = sample.error === null ? sample.reply : `${sample.error}\n\n${sample.reply}`;
    sides.append(
      side("Prompt", ...prompt),
      side(sample.error === null ? "Reply" : "Error", make("pre", reply)),
    );
    const list = make("dl");
    const entry = (name, text) => list.append(make("dt", name), make("dd", text));
    entry("Read", answer(problem, sample.extracted));
    entry("Key", answer(problem, problem.target));
    if (problem.solution) entry("Solution", problem.solution);
    entry(
      "Reply",
      `${sample.completion_tokens} tokens in ${sample.seconds.toFixed(2)} s, ` +
        `ended by ${sample.finish_reason}; prompt ${sample.prompt_tokens} tokens`,
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
          [sample.problem, problems[sample.problem].prompt, sample.reply, sample.error || ""].some(
            (text) => text.toLowerCase().includes(words),
          )),
    );
    page = 0;
    show();
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
    byId(name).addEventListener("change", filter);
  }
  byId("text").addEventListener("input", filter);
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  const turn = (step) => () => {
    page += step;
    show();
    byId("samples").scrollIntoView();
  };
  byId("previous").addEventListener("click", turn(-1));
  byId("next").addEventListener("click", turn(1));
  show();
})();
