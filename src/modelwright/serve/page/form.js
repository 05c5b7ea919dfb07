"use strict";
// One field for each column of a row, made from the schema in openapi.json. Text is only ever set as text.

function make(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name.includes("-") || name === "list" || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

class Field {
  constructor(name, schema, required) {
    this.name = name;
    this.schema = schema;
    this.required = required;
    this.types = [].concat(schema.type || "string");
    this.kind = schema["x-kind"];
    this.input = this.control();
    this.hint = make("small", { textContent: this.words() });
    this.element = make("label", {}, make("span", { textContent: name }), this.input, this.hint);
    if (this.kind === "text" || this.kind === "image") this.element.className = "wide";
    this.input.addEventListener("input", () => this.mark());
  }

  control() {
    const values = this.schema.enum || (this.types.includes("boolean") ? ["true", "false"] : null);
    if (values) {
      const select = make("select", {});
      if (!this.required || values.includes(null)) select.append(make("option", { value: "", textContent: "(missing)" }));
      for (const value of values) if (value !== null) select.append(make("option", { value, textContent: value }));
      return select;
    }
    if (this.kind === "image") return make("input", { type: "file", accept: "image/*" });
    if (this.kind === "text") return make("textarea", { rows: 3 });
    const input = make("input", { type: "text", spellcheck: false });
    if (this.types.includes("number") || this.types.includes("integer")) input.inputMode = "decimal";
    return input;
  }

  // The values seen in training, offered but not demanded.
  suggestions() {
    const values = this.schema["x-categories"];
    if (!values || this.input.tagName !== "INPUT") return [];
    const id = `values-${Field.count = (Field.count || 0) + 1}`;
    this.input.setAttribute("list", id);
    return [make("datalist", { id }, ...values.slice(0, 500).map((value) => make("option", { value })))];
  }

  words() {
    const range = this.schema["x-observed"];
    const seen = range ? `${short(range[0])} … ${short(range[1])}` : "";
    const unit = /Unit: ([^.]*)\./.exec(this.schema.description || "");
    const own = (this.schema.description || "").replace(/(In training from|Unit:) .*$/, "").trim();
    return [own, unit && unit[1], seen, this.required ? "" : "may be missing"].filter(Boolean).join(" · ");
  }

  mark() {
    this.element.classList.remove("wrong", "odd");
    this.hint.textContent = this.words();
    const range = this.schema["x-observed"];
    const number = Number(this.input.value);
    this.element.classList.toggle("out", Boolean(range && this.input.value && (number < range[0] || number > range[1])));
  }

  say(message, kind) {
    this.element.classList.add(kind);
    this.hint.textContent = message;
  }

  set(value) {
    if (this.kind === "image") { this.kept = value; return; }
    this.input.value = value === null || value === undefined ? "" : String(value);
    this.mark();
  }

  async value() {
    if (this.kind === "image") {
      const file = this.input.files[0];
      return file ? await asDataUrl(file) : this.kept || null;
    }
    const text = this.input.value;
    if (text === "") return null;
    if (this.types.includes("boolean")) return text === "true";
    if (this.types.includes("number") || this.types.includes("integer")) {
      const number = Number(text);
      return Number.isFinite(number) ? number : text; // the server says better what is wrong with it
    }
    return text;
  }
}

function short(number) {
  return Math.abs(number) >= 1e6 || (number && Math.abs(number) < 1e-3) ? number.toExponential(2) : String(Number(number.toPrecision(5)));
}

function asDataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

class RowForm {
  constructor(place, filter) {
    this.place = place;
    this.filter = filter;
    this.fields = new Map();
    filter.addEventListener("input", () => this.show());
  }

  build(schema, example) {
    this.fields.clear();
    this.place.textContent = "";
    const required = new Set(schema.required || []);
    for (const [name, column] of Object.entries(schema.properties)) {
      const field = new Field(name, column, required.has(name));
      this.fields.set(name, field);
      this.place.append(field.element, ...field.suggestions());
    }
    this.filter.hidden = this.fields.size < 12;
    this.filter.value = "";
    this.fill(example);
  }

  fill(row) {
    for (const [name, field] of this.fields) field.set(row[name]);
  }

  show() {
    const wanted = this.filter.value.toLowerCase();
    for (const [name, field] of this.fields) field.element.hidden = !name.toLowerCase().includes(wanted);
  }

  async row() {
    const row = {};
    for (const [name, field] of this.fields) {
      const value = await field.value();
      if (value !== null || field.required) row[name] = value;
    }
    return row;
  }

  // What the server says of single columns: "wrong" for errors, "odd" for warnings.
  mark(details, kind) {
    for (const field of this.fields.values()) field.mark();
    for (const detail of details || []) {
      const loc = detail.loc || [];
      const field = this.fields.get(loc[loc.length - 1]);
      if (field) field.say(detail.msg, kind);
    }
  }
}
