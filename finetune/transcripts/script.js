"use strict";
// Everything in the data is text from a dataset or a model: it is only ever set as textContent.
(() => {
  const byId = (id) => document.getElementById(id);
  const index = JSON.parse(byId("index").textContent);
  const filters = ["verdict", "task", "level"];
  let place = index.length - 1;
  let groups = [];

  function make(tag, text, className) {
    const element = document.createElement(tag);
    if (text !== undefined && text !== null) element.textContent = text;
    if (className) element.className = className;
    return element;
  }

  const figure = (value) => (value === null ? "none" : String(Number(value.toFixed(3))));
  const signed = (value) => (value > 0 ? "+" : "") + figure(value).replace("-", "\u2212");

  function reply(one) {
    const above = one.above === null ? 0 : one.above;
    const way = above > 1e-9 ? " up" : above < -1e-9 ? " down" : "";
    const box = make("div", null, "reply" + way);
    const heading = make("h4");
    heading.append(make("span", one.verdict, `outcome ${one.verdict}`));
    const say = (text) => heading.append(make("span", text));
    say(`reward ${figure(one.reward)}`);
    if (one.above !== null) say(`${signed(one.above)} against its group`);
    const parts = Object.entries(one.parts);
    if (parts.length > 1) say(parts.map(([name, value]) => `${name} ${figure(value)}`).join(", "));
    say(`${one.tokens} tokens` + (one.truncated ? ", cut at the longest" : ""));
    if (one.logprob !== null) say(`log-prob ${signed(one.logprob)}`);
    box.append(heading);
    box.append(one.text === "" ? make("pre", "(no text)", "empty") : make("pre", one.text));
    return box;
  }

  function card(group, replies) {
    const article = make("article");
    const right = group.replies.filter((one) => one.verdict === "correct").length;
    const heading = make("h3", group.problem);
    heading.append(
      make("span", `${group.task}, level ${group.level}`),
      make("span", `${right} of ${group.replies.length} correct`),
      make("span", `draw ${group.draw}`),
    );
    const prompt = make("div");
    const pictures = group.pictures > 0 ? `, pictures in it: ${group.pictures}` : "";
    prompt.append(make("h4", `Prompt, ${group.prompt_tokens} tokens${pictures}`));
    if (group.prompt !== null) prompt.append(make("pre", group.prompt));
    if (group.key !== null) prompt.append(make("h4", "Key"), make("pre", group.key));
    const said = make("div");
    said.append(...replies.map(reply));
    const sides = make("div", null, "sides");
    sides.append(prompt, said);
    article.append(heading, sides);
    return article;
  }

  function chosen() {
    const value = Object.fromEntries(filters.map((name) => [name, byId(name).value]));
    const words = byId("text").value.trim().toLowerCase();
    const has = (text) => text !== null && text.toLowerCase().includes(words);
    const found = [];
    for (const group of groups) {
      if (value.task !== "" && group.task !== value.task) continue;
      if (value.level !== "" && String(group.level) !== value.level) continue;
      const whole = words === "" || has(group.problem) || has(group.prompt);
      const replies = group.replies.filter(
        (one) =>
          (value.verdict === "" || one.verdict === value.verdict) && (whole || has(one.text)),
      );
      if (replies.length > 0) found.push([group, replies]);
    }
    return found;
  }

  function show() {
    const found = chosen();
    const shown = found.reduce((sum, [, replies]) => sum + replies.length, 0);
    byId("count").textContent = `${shown} of ${index[place].replies} replies`;
    byId("list").replaceChildren(...found.map(([group, replies]) => card(group, replies)));
  }

  // The nearest step that way with a reply of the verdict that is asked for.
  function nearest(way) {
    const verdict = byId("verdict").value;
    let at = place + way;
    while (at >= 0 && at < index.length && verdict !== "" && !index[at].verdicts[verdict]) at += way;
    return at >= 0 && at < index.length ? at : null;
  }

  function buttons() {
    byId("previous").disabled = nearest(-1) === null;
    byId("next").disabled = nearest(1) === null;
  }

  function open(at) {
    place = at;
    const summary = index[place];
    groups = JSON.parse(byId(`step-${summary.step}`).textContent);
    byId("slider").value = String(place);
    const counts = Object.entries(summary.verdicts).sort(([a], [b]) => (a < b ? -1 : 1));
    byId("place").replaceChildren(
      make("b", `Step ${summary.step}`),
      make("span", `reward ${figure(summary.reward)}`),
      make("span", counts.map(([name, count]) => `${count} ${name}`).join(", ")),
    );
    buttons();
    show();
  }

  const counts = { verdict: new Map(), task: new Map(), level: new Map() };
  const add = (name, key, count) =>
    counts[name].set(String(key), (counts[name].get(String(key)) || 0) + count);
  for (const summary of index) {
    for (const [verdict, count] of Object.entries(summary.verdicts)) add("verdict", verdict, count);
    for (const task of summary.tasks) add("task", task, 0);
    for (const level of summary.levels) add("level", level, 0);
  }
  for (const name of filters) {
    for (const [key, count] of [...counts[name]].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const option = make("option", count > 0 ? `${key} (${count})` : key);
      option.value = key;
      byId(name).append(option);
    }
    byId(name).addEventListener("change", () => {
      buttons();
      show();
    });
  }
  byId("slider").max = String(index.length - 1);
  byId("slider").addEventListener("input", (event) => open(Number(event.target.value)));
  for (const [id, way] of [["previous", -1], ["next", 1]]) {
    byId(id).addEventListener("click", () => {
      const at = nearest(way);
      if (at !== null) open(at);
    });
  }
  byId("text").addEventListener("input", show);
  for (const form of document.querySelectorAll("form")) {
    form.addEventListener("submit", (event) => event.preventDefault());
  }
  open(place);
})();
