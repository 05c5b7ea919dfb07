"use strict";
// Shows what openapi.json says, lets people fill in a row and read the answer, and try every route.

const byId = (id) => document.getElementById(id);
const pretty = (value) => JSON.stringify(value, null, 2);
const form = new RowForm(byId("fields"), byId("filter"));
const shown = { request: "", reply: "", curl: "", python: "" };
let api;
let served;
let tab = "request";

function headers(body) {
  const found = body === undefined ? {} : { "content-type": "application/json" };
  const credential = byId("credential").value.trim();
  if (credential) found.authorization = `Bearer ${credential}`;
  return found;
}

async function send(verb, path, body) {
  const response = await fetch(path.replace(/^\//, ""), { method: verb, headers: headers(body), body });
  const text = await response.text();
  let value;
  try { value = JSON.parse(text); } catch { value = undefined; }
  return { status: response.status, words: response.statusText, text, value };
}

function select(name) {
  tab = name;
  for (const button of document.querySelectorAll("[data-tab]"))
    button.setAttribute("aria-selected", String(button.dataset.tab === name));
  byId("code").textContent = shown[name] || "Nothing yet.";
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function clipped(text) { // images would fill the page
  return text.replace(/("data:[^"]{80})[^"]*"/g, '$1…"');
}

async function describe() {
  const body = { features: await form.row() };
  const address = new URL(served.path.slice(1), document.baseURI).href;
  const needsKey = api.security ? ' \\\n  -H "Authorization: Bearer $MODELWRIGHT_API_KEY"' : "";
  shown.request = clipped(pretty(body));
  shown.curl = `curl ${quoted(address)} \\\n  -H 'Content-Type: application/json'${needsKey} \\\n  -d ${quoted(clipped(JSON.stringify(body)))}`;
  const root = new URL(".", document.baseURI).href.replace(/\/$/, "");
  const key = api.security ? ', api_key=os.environ["MODELWRIGHT_API_KEY"]' : "";
  const model = served.path === "/predict" ? "" : `, model=${JSON.stringify(served.name)}`;
  const row = clipped(pretty(body.features)).replace(/: null\b/g, ": None").replace(/: true\b/g, ": True").replace(/: false\b/g, ": False");
  shown.python = `${api.security ? "import os\n\n" : ""}from modelwright.client.sync import Client\n\n` +
    `with Client(${JSON.stringify(root)}${key}) as client:\n    answer = client.predict(${row.replaceAll("\n", "\n    ")}${model})\nprint(answer.prediction)`;
  select(tab);
  return body;
}

function chances(probabilities) {
  const place = make("div", { className: "chances" });
  const sorted = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
  sorted.slice(0, 50).forEach(([name, chance], rank) => {
    const fill = make("i", {});
    fill.style.width = `${Math.max(0, Math.min(1, chance)) * 100}%`;
    place.append(
      make("span", { textContent: name }),
      make("div", { className: rank ? "track" : "track best" }, fill),
      make("span", { className: "number", textContent: `${(chance * 100).toFixed(1)} %` }),
    );
  });
  return place;
}

function outcome(answer, title) {
  const said = answer.prediction_name ?? answer.prediction;
  const big = typeof said === "number" ? String(Number(said.toPrecision(7))) : String(said);
  const line = make("div", { className: "result" }, make("b", { textContent: big }));
  if (title) line.prepend(make("span", { className: "quiet", textContent: title }));
  if (answer.confidence !== undefined)
    line.append(make("span", { className: "quiet", textContent: `${(answer.confidence * 100).toFixed(1)} % sure` }));
  return answer.probabilities ? [line, chances(answer.probabilities)] : [line];
}

function notes(messages, bad) {
  const items = messages.slice(0, 20).map((textContent) => make("li", { textContent }));
  return make("ul", { className: bad ? "notes bad" : "notes" }, ...items);
}

function told(problem) {
  const loc = problem.loc || [];
  const last = loc[loc.length - 1];
  return typeof last === "string" && last !== "body" ? `${last}: ${problem.msg}` : problem.msg;
}

function showAnswer(reply) {
  const place = byId("answer");
  place.textContent = "";
  const value = reply.value || {};
  if (reply.status === 200) form.mark(value.warnings, "odd");
  else form.mark(value.details, "wrong");
  if (reply.status !== 200) {
    place.append(make("p", { className: "status no", textContent: `${reply.status} ${value.error || reply.words}` }));
    if (value.details) place.append(notes(value.details.map(told), true));
    if (value.instruction) place.append(make("p", { className: "quiet facts", textContent: value.instruction }));
    return;
  }
  if (value.outputs) for (const [name, one] of Object.entries(value.outputs)) place.append(...outcome(one, name));
  else place.append(...outcome(value));
  if (value.warnings) place.append(notes(value.warnings.map(told)));
  const facts = `version ${value.model_version} · ${(value.latency * 1000).toFixed(2)} ms in the server · ${value.prediction_id}`;
  place.append(make("p", { className: "quiet facts", textContent: facts }));
}

async function predict() {
  const button = byId("form").querySelector("[type=submit]");
  button.disabled = true;
  try {
    const body = await describe();
    const reply = await send("POST", served.path, JSON.stringify(body));
    shown.reply = reply.value === undefined ? reply.text : pretty(reply.value);
    showAnswer(reply);
    select("reply");
  } catch (error) {
    byId("answer").replaceChildren(notes([`The server could not be reached: ${error.message}`], true));
  } finally {
    button.disabled = false;
  }
}

function exampleRow() {
  const media = api.paths[served.path].post.requestBody.content["application/json"];
  return media.examples["one row"].value.features;
}

function choose(index) {
  served = api["x-modelwright"].served[index];
  const tasks = served.models.map((one) => (one.target ? `${one.task} of ${one.target}` : one.task)).join(", ");
  byId("title").textContent = served.name;
  byId("about").textContent = `version ${served.version} · ${tasks}`;
  document.title = `${served.name} · version ${served.version}`;
  form.build(api.components.schemas[served.row], exampleRow());
  byId("answer").replaceChildren(make("p", { className: "quiet", textContent: "The answer comes here." }));
  shown.reply = "";
  describe();
}

function parameterInputs(parameters, place) {
  const inputs = [];
  for (const one of parameters) {
    const input = make("input", { type: "text", value: one.example ?? "", spellcheck: false });
    place.append(make("label", {}, make("span", { textContent: `${one.name} (${one.in})` }), input, make("small", { textContent: one.description || "" })));
    inputs.push([one, input]);
  }
  return inputs;
}

function address(path, inputs) {
  const query = new URLSearchParams();
  let filled = path;
  for (const [one, input] of inputs) {
    if (one.in === "path") filled = filled.replace(`{${one.name}}`, encodeURIComponent(input.value));
    else if (one.in === "query" && input.value) query.set(one.name, input.value);
  }
  return query.size ? `${filled}?${query}` : filled;
}

function route(path, verb, operation, shared) {
  const place = make("div", {});
  if (operation.description) place.append(make("p", { className: "quiet", textContent: operation.description.replaceAll("`", "") }));
  const parameters = [...(shared || []), ...(operation.parameters || [])].filter((one) => one.in !== "header");
  const box = make("div", { className: "parameters" });
  const inputs = parameterInputs(parameters, box);
  if (inputs.length) place.append(box);
  const media = operation.requestBody && operation.requestBody.content["application/json"];
  let editor;
  if (media) {
    editor = make("textarea", { spellcheck: false, "aria-label": "Request body" });
    const examples = Object.entries(media.examples || { example: { value: media.example || {} } });
    editor.value = pretty(examples[0][1].value);
    editor.rows = Math.min(24, editor.value.split("\n").length + 1);
    if (examples.length > 1) {
      const choice = make("select", { "aria-label": "Example" }, ...examples.map(([name], value) => make("option", { value, textContent: name })));
      choice.addEventListener("change", () => { editor.value = pretty(examples[choice.value][1].value); });
      place.append(choice);
    }
    place.append(editor);
  }
  const button = make("button", { type: "button", textContent: "Send" });
  const status = make("span", { className: "status" });
  const output = make("pre", { tabIndex: 0, hidden: true });
  place.append(make("div", { className: "bar" }, button, status), output);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const reply = await send(verb.toUpperCase(), address(path, inputs), editor && editor.value);
      status.textContent = `${reply.status} ${reply.words}`;
      status.className = reply.status < 400 ? "status ok" : "status no";
      output.textContent = reply.value === undefined ? reply.text : pretty(reply.value);
      output.hidden = !output.textContent;
    } catch (error) {
      status.textContent = error.message;
      status.className = "status no";
    } finally {
      button.disabled = false;
    }
  });
  const summary = make("summary", {},
    make("span", { className: "verb", textContent: verb.toUpperCase() }),
    make("code", { textContent: path }),
    make("span", { className: "quiet", textContent: operation.summary || "" }));
  return make("details", {}, summary, place);
}

function listRoutes() {
  const place = byId("routes");
  for (const tag of api.tags) {
    const found = [];
    for (const [path, item] of Object.entries(api.paths))
      for (const verb of ["get", "post", "put", "delete"])
        if (item[verb] && item[verb].tags[0] === tag.name) found.push(route(path, verb, item[verb], item.parameters));
    if (found.length)
      place.append(make("h3", { textContent: tag.name }), make("p", { className: "quiet", textContent: tag.description }), ...found);
  }
}

async function begin() {
  const reply = await send("GET", "/openapi.json");
  if (reply.status === 401 || reply.status === 403) {
    byId("title").textContent = "This server asks who you are";
    byId("about").textContent = reply.status === 401 ? "Type an API key or a token that may read." : reply.value.error;
    byId("main").hidden = true;
    byId("credential").focus();
    return;
  }
  if (!reply.value || !reply.value.paths) throw new Error(`openapi.json: ${reply.status}`);
  byId("main").hidden = false;
  byId("routes").textContent = "";
  byId("model").textContent = "";
  api = reply.value;
  const all = api["x-modelwright"].served;
  if (!all.length) {
    byId("title").textContent = "No model is served yet";
    document.querySelector(".try").hidden = true;
  } else {
    byId("model").append(...all.map((one, value) => make("option", { value, textContent: one.name })));
    byId("which").hidden = all.length < 2;
    choose(0);
  }
  listRoutes();
}

byId("model").addEventListener("change", (event) => choose(Number(event.target.value)));
byId("example").addEventListener("click", () => { form.fill(exampleRow()); describe(); });
byId("clear").addEventListener("click", () => { form.fill({}); describe(); });
byId("form").addEventListener("input", describe);
byId("form").addEventListener("submit", (event) => { event.preventDefault(); predict(); });
byId("form").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); predict(); }
});
byId("copy").addEventListener("click", () => navigator.clipboard && navigator.clipboard.writeText(byId("code").textContent));
for (const button of document.querySelectorAll("[data-tab]")) button.addEventListener("click", () => select(button.dataset.tab));
function start() {
  begin().catch((error) => { byId("title").textContent = `This page could not be made: ${error.message}`; });
}
byId("credential").addEventListener("change", () => { if (!api || byId("main").hidden) start(); });
start();
