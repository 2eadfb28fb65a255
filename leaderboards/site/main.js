// The page: what the hash asks for is settled against the board, built, and shown.
const startBoard = () => {
  let asked = readHash();
  let page = null;
  let built = "";
  let shown = null;
  const at = Object.fromEntries(["test", "find", "method", "rung", "sort", "order", "baselines",
    "status", "view", "tabs", "facts", "test-name"].map((id) => [id, byId(id)]));
  const field = (name, wanted) => { byId(`${name}-field`).hidden = !wanted; };

  // ---- what is asked for, as far as this board has it -----------------------
  const settle = () => {
    const test = Math.max(0, board.tests.findIndex((one) => one.key === asked.test));
    const views = VIEWS.filter((view) => view.has(test));
    const view = views.find((one) => one.key === asked.view) ?? views[0];
    return { test, views, view };
  };
  const usualSort = () => page.columns.find((column) => column.key === page.usual) ?? null;
  const settleRows = () => {
    // Baselines are shown whatever is chosen: what they alone have would choose nothing.
    const models = page.rows.filter((row) => !row.baseline);
    const values = (part) => [...new Set(models.map((row) => row[part]))].filter(Boolean);
    const found = page.columns.find((one) => one.key === asked.sort);
    const column = found ?? usualSort();
    // An order was meant for the column that was asked for with it.
    const ordered = (found || !asked.sort) && [ASCENDING, DESCENDING].includes(asked.order);
    const order = ordered ? asked.order : column?.first ?? "";
    const methods = values("method");
    const rungs = values("rung");
    return {
      column, order, methods, rungs,
      method: methods.includes(asked.method) ? asked.method : "",
      rung: rungs.includes(asked.rung) ? asked.rung : "",
      baselines: asked.baselines !== "off",
      open: page.rows.some((row) => row.key === asked.open && row.opens) ? asked.open : "",
    };
  };

  const show = () => {
    const { test, views, view } = settle();
    showTabs(views, view);
    const key = `${view.key} ${view.wide ? "" : test}`;
    if (key !== built) {
      built = key;
      page = view.build(test, { onSort: sortBy, onOpen: openRow, go, addressOf });
      const panel = view.legend ? [view.legend(test), page.node] : [page.node];
      at.view.replaceChildren(...panel);
      choose(at.sort, page.columns.map((column) => [column.key, column.heading]), "");
    }
    showTest(test, view);
    const rows = settleRows();
    const axes = page.settle?.(asked) ?? { x: "", y: "" };
    const words = asked.find.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = (row) => {
      const name = row.name.toLowerCase();
      return words.every((word) => name.includes(word)) && (rows.baselines || !row.baseline) &&
        (row.baseline || ((!rows.method || row.method === rows.method) &&
          (!rows.rung || row.rung === rows.rung)));
    };
    showFilters(rows);
    const count = page.update({
      sort: rows.column?.key ?? "", order: rows.order, wanted, open: rows.open, x: axes.x, y: axes.y,
    });
    const usual = usualSort();
    const sorted = rows.column !== usual;
    asked = {
      test: test > 0 ? board.tests[test].key : "", view: view === views[0] ? "" : view.key,
      sort: sorted ? rows.column.key : "",
      order: rows.column && rows.order !== rows.column.first ? rows.order : "",
      find: asked.find, method: rows.method, rung: rows.rung, baselines: rows.baselines ? "" : "off",
      x: axes.x, y: axes.y, open: rows.open,
    };
    shown = { rows, view, views, count };
    at.status.textContent = countedRows();
  };
  const countedRows = () =>
    (shown.count < page.rows.length ? `${shown.count} of ${page.rows.length} rows shown` : "");

  const showTest = (test, view) => {
    const { problems, data_problems: all, split, tasks, levels, data } = board.tests[test];
    field("test", board.tests.length > 1 && !view.wide);
    at.test.value = board.tests[test].key;
    at["test-name"].replaceChildren(bdi(view.wide ? view.title : board.tests[test].name));
    at.facts.hidden = Boolean(view.wide);
    const count = whole.format(problems) + (problems < all ? ` of ${whole.format(all)}` : "");
    const parts = [counted(Object.keys(tasks).length, "task"), counted(Object.keys(levels).length, "level")];
    const code = make("code", "", digestBrief(board.tests[test]));
    code.title = visible(data);
    at.facts.replaceChildren(`${count} problems, `, bdi(split),
      ` split \u00b7 ${parts.join(" \u00b7 ")} \u00b7 data `, code);
  };

  const showTabs = (views, view) => {
    const keys = views.map((one) => one.key).join();
    if (at.tabs.dataset.keys !== keys) {
      at.tabs.dataset.keys = keys;
      at.tabs.replaceChildren(...views.map((one) => {
        const tab = make("button", "", one.title);
        tab.type = "button";
        tab.id = `tab-${one.key}`;
        tab.setAttribute("role", "tab");
        tab.setAttribute("aria-controls", "view");
        tab.addEventListener("click", () => turn(one.key));
        return tab;
      }));
    }
    for (const tab of at.tabs.children) {
      const chosen = tab.id === `tab-${view.key}`;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    at.view.setAttribute("aria-labelledby", `tab-${view.key}`);
  };

  const showFilters = (rows) => {
    const pairs = (names, all) => [["", all], ...names.map((name) => [name, name])];
    field("method", rows.methods.length > 1);
    field("rung", rows.rungs.length > 1);
    choose(at.method, pairs(rows.methods, "all"), rows.method);
    choose(at.rung, pairs(rows.rungs, "all"), rows.rung);
    field("baselines", page.rows.some((row) => row.baseline));
    at.baselines.checked = rows.baselines;
    if (at.find.value !== asked.find) at.find.value = asked.find;
    field("sort", page.columns.length > 0);
    if (!rows.column) return;
    at.sort.value = rows.column.key;
    at.order.textContent = rows.order === ASCENDING ? "\u2191" : "\u2193";
    at.order.setAttribute("aria-label", `Order: ${rows.order}`);
  };

  // ---- what hands ask for --------------------------------------------------
  const go = (changes, replace = false) => {
    asked = { ...asked, ...changes };
    show();
    writeHash(asked, replace);
  };
  const addressOf = (changes) => hashOf({ ...asked, ...changes });
  const tell = () => {
    const { column, order } = shown.rows;
    const ending = [order, countedRows()].filter(Boolean).join("; ");
    at.status.replaceChildren("Sorted by ", bdi(column.heading), `, ${ending}`);
  };
  const sortBy = (key) => {
    const { column, order } = shown.rows;
    const other = order === ASCENDING ? DESCENDING : ASCENDING;
    go({ sort: key, order: column.key === key ? other : "" });
    tell();
  };
  const openRow = (key) => go({ open: asked.open === key ? "" : key });
  const turn = (view) => go({ view, sort: "", order: "" });

  at.tabs.addEventListener("keydown", (event) => {
    const tabs = [...at.tabs.children];
    const now = tabs.indexOf(event.target);
    const next = {
      ArrowRight: (now + 1) % tabs.length, ArrowLeft: (now + tabs.length - 1) % tabs.length,
      Home: 0, End: tabs.length - 1,
    }[event.key];
    if (next === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    tabs[next].click();
    tabs[next].focus();
  });
  at.test.addEventListener("change", () => go({ test: at.test.value, open: "" }));
  for (const part of ["method", "rung"]) {
    at[part].addEventListener("change", () => go({ [part]: at[part].value }));
  }
  at.baselines.addEventListener("change", () => go({ baselines: at.baselines.checked ? "" : "off" }));
  at.sort.addEventListener("change", () => {
    go({ sort: at.sort.value, order: "" });
    tell();
  });
  at.order.addEventListener("click", () => sortBy(shown.rows.column.key));

  // Typing is one step of the history and not one for each letter; browsers refuse a hash that
  // changes too often, so it waits for a rest.
  let rest = 0;
  const find = () => {
    asked = { ...asked, find: at.find.value };
    show();
    clearTimeout(rest);
    rest = setTimeout(() => writeHash(asked, true), 250);
  };
  at.find.addEventListener("input", find);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      at.find.focus();
    } else if (event.key === "Escape" && event.target === at.find && at.find.value) {
      at.find.value = "";
      find();
    }
  });
  addEventListener("hashchange", () => {
    clearTimeout(rest);
    asked = readHash();
    show();
    page.reveal?.();
  });

  choose(at.test, board.tests.map(({ key, name }) => [key, name]), "");
  byId("board").hidden = false;
  show();
  page.reveal?.();
};

startTheme(byId("theme"));
startNotes();
if (board.tests.length > 0) startBoard();
