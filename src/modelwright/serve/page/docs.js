"use strict";
// Shows openapi.json and lets people try each route. Text is only ever set as text, never as HTML.

function make(tag, text, parent) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

function resolve(api, schema) {
  return schema && schema.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema;
}

function columns(api, media, parent) {
  const shapes = (media.schema.anyOf || [media.schema]).map((each) => resolve(api, each));
  const row = shapes[shapes.length - 1];
  if (!row || !row.properties) return;
  const table = make("table", undefined, parent);
  const head = make("tr", undefined, table);
  for (const name of ["column", "type", "", ""]) make("th", name, head);
  for (const [name, column] of Object.entries(row.properties)) {
    const line = make("tr", undefined, table);
    make("td", name, line);
    make("td", [].concat(column.type || "any").join(" or "), line);
    make("td", (row.required || []).includes(name) ? "required" : "", line);
    make("td", [column.description, (column.enum || column.examples || []).join(", ")].filter(Boolean).join(" "), line);
  }
}

async function send(verb, path, body, output) {
  output.textContent = "…";
  try {
    const options = { method: verb.toUpperCase() };
    if (body !== undefined) {
      options.body = body;
      options.headers = { "content-type": "application/json" };
    }
    const response = await fetch(path.replace(/^\//, ""), options);
    const text = await response.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: as it is */ }
    output.textContent = `${response.status} ${response.statusText}\n\n${shown}`;
  } catch (error) {
    output.textContent = String(error);
  }
}

function route(api, path, verb, operation, parent) {
  const box = make("details", undefined, parent);
  const summary = make("summary", undefined, box);
  make("span", verb.toUpperCase(), summary).className = "verb";
  make("code", path, summary);
  make("span", " – " + (operation.summary || ""), summary);
  const media = operation.requestBody && operation.requestBody.content["application/json"];
  let input;
  if (media) {
    columns(api, media, box);
    input = make("textarea", undefined, box);
    input.setAttribute("aria-label", "Request body");
    input.value = JSON.stringify(media.example || {}, null, 2);
  }
  const button = make("button", "Send", make("p", undefined, box));
  const output = make("pre", "", box);
  output.hidden = true;
  button.addEventListener("click", () => {
    output.hidden = false;
    send(verb, path, input && input.value, output);
  });
}

fetch("openapi.json").then((response) => response.json()).then((api) => {
  const main = document.getElementById("routes");
  document.title = api.info.title;
  document.getElementById("title").textContent = api.info.title;
  main.textContent = "";
  for (const [path, verbs] of Object.entries(api.paths))
    for (const [verb, operation] of Object.entries(verbs)) route(api, path, verb, operation, main);
});
