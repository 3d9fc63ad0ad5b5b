"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const failing = new Set(data.failing);
  const list = document.getElementById("list");
  const form = document.getElementById("filters");
  const field = (id) => document.getElementById(id);

  const make = (tag, options = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(options)) {
      if (name === "text") element.textContent = value;
      else if (name === "class") element.className = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };
  const state = (row) => failing.has(row.outcome) ? "fail" : row.outcome === "passed" ? "pass" : row.outcome === "xfailed" ? "known" : "none";

  for (const row of data.rows) {
    const texts = row.requirements.map((id) => `${id} ${data.requirements[id]?.text ?? ""}`);
    row.search = [row.case, row.testee, row.scheme, row.outcome, row.message, ...texts].join("\n").toLowerCase();
    row.groups = row.requirements.map((id) => id.split("-")[0]);
  }

  const crossing = (item, hex) => {
    const bytes = Uint8Array.from(atob(item.data), (c) => c.charCodeAt(0));
    const more = item.size > bytes.length ? ` … (${item.size} bytes)` : "";
    if (hex) return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ") + more;
    const text = new TextDecoder("utf-8").decode(bytes);
    return text.replace(/[\u0000-\u001f\u007f]/g, (c) => c === "\n" ? "\\n" : "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0")) + more;
  };
  const wire = (row) => {
    if (!row.crossings) return [make("h4", { text: "Wire (> from the suite, < from the testee)" }), make("pre", { text: row.wire.join("\n") })];
    const body = make("tbody");
    const fill = (hex) => body.replaceChildren(...row.crossings.map((item) => make("tr", { class: item.direction === ">" ? "from-suite" : "" },
      make("td", { text: `${item.milliseconds.toFixed(1)} ms` }),
      make("td", { text: item.direction === ">" ? "→ suite to testee" : "← testee to suite" }),
      make("td", {}, make("code", { text: crossing(item, hex) })))));
    fill(false);
    const toggle = make("button", { type: "button", class: "hex", text: "Show as hex", "aria-pressed": "false" });
    toggle.addEventListener("click", () => {
      const hex = toggle.getAttribute("aria-pressed") !== "true";
      toggle.setAttribute("aria-pressed", String(hex));
      fill(hex);
    });
    const head = make("thead", {}, make("tr", {}, ...["Time", "Direction", "Bytes"].map((text) => make("th", { scope: "col", text }))));
    return [make("h4", { text: "Wire " }, toggle), make("table", { class: "wire" }, head, body)];
  };
  const copyable = (text) => {
    const button = make("button", { type: "button", class: "copy", text: "Copy" });
    button.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
      catch { getSelection().selectAllChildren(button.previousSibling); button.textContent = "Selected"; }
    });
    return make("p", {}, make("code", { text }), " ", button);
  };
  const body = (row) => {
    const parts = [make("p", { text: data.cases[row.case.split("[")[0]] ?? "" })];
    if (row.message) parts.push(make("h4", { text: "Expected and seen" }), make("pre", { text: row.message }));
    if (row.reason) parts.push(make("p", { text: `Known failure: ${row.reason}` }));
    if (row.crossings || row.wire) parts.push(...wire(row));
    for (const [key, title] of [["stderr", "Standard error of the testee"], ["stacks", "Stacks of the testee"]])
      if (row[key]) parts.push(make("h4", { text: title }), make("pre", { text: row[key] }));
    if (row.reproduce) parts.push(make("h4", { text: "Reproduce" }), copyable(row.reproduce));
    return parts;
  };
  // Content is made when it is opened: a report has thousands of rows, and a reader opens a few.
  const lazy = (summary, open, fill) => {
    const details = make("details", {}, summary);
    const inside = make("div", { class: "body" });
    details.append(inside);
    const show = () => { if (details.open && !inside.hasChildNodes()) inside.append(...fill()); };
    details.addEventListener("toggle", show);
    if (open) { details.open = true; show(); }
    return details;
  };
  const rowOf = (row, open) => lazy(
    make("summary", {}, make("span", { class: state(row), text: row.outcome }), ` ${row.case} – ${row.testee}${row.scheme ? ` over ${row.scheme}` : ""}${row.duration ? ` (${row.duration.toFixed(2)} s)` : ""}`),
    open, () => body(row));
  const requirementOf = (id, rows, open) => {
    const requirement = data.requirements[id] ?? { text: "", level: "" };
    const bad = rows.filter((row) => failing.has(row.outcome)).length;
    const counts = bad ? make("span", { class: "fail", text: `${bad} of ${rows.length} fail` }) : make("span", { class: "pass", text: `${rows.length} without failure` });
    return lazy(make("summary", {}, make("strong", { text: id }), " ", make("span", { class: "level", text: requirement.level }), ` ${requirement.text} `, counts),
      open, () => rows.map((row) => rowOf(row, rows.length === 1)));
  };

  const show = () => {
    const words = field("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const outcomes = new Set(Array.from(form.querySelectorAll("input[name=outcome]:checked"), (box) => box.value));
    const wanted = ["level", "side", "testee", "scheme"].map((name) => [name, field(name).value]).filter(([, value]) => value);
    const group = field("group").value;
    const rows = data.rows.filter((row) => outcomes.has(row.outcome) && wanted.every(([name, value]) => (row[name] ?? "") === value)
      && (!group || row.groups.includes(group)) && words.every((word) => row.search.includes(word)));
    const found = new Map();
    for (const row of rows)
      for (const id of row.requirements)
        if (!group || id.startsWith(group + "-")) (found.get(id) ?? found.set(id, []).get(id)).push(row);
    const order = Object.keys(data.requirements);
    const ids = [...found.keys()].sort((a, b) => order.indexOf(a) - order.indexOf(b));
    list.replaceChildren(...ids.map((id) => requirementOf(id, found.get(id), ids.length === 1)));
    field("count").textContent = `${rows.length} of ${data.rows.length} results, ${rows.filter((row) => failing.has(row.outcome)).length} of them failures`;
  };
  field("failures").addEventListener("click", () => {
    for (const box of form.querySelectorAll("input[name=outcome]")) box.checked = failing.has(box.value);
    show();
  });
  for (const event of ["input", "change"]) form.addEventListener(event, show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show));
  for (const button of document.querySelectorAll(".matrix button"))
    button.addEventListener("click", () => {
      for (const name of ["group", "testee", "scheme"]) field(name).value = button.dataset[name];
      show();
      field("results-title").scrollIntoView();
      field("search").focus({ preventScroll: true });
    });
  show();
})();
