// The API's description, read from /openapi.json, with a form to try each question. A page of our own
// because the usual ones load their code from another host, and this one must work without a network.

import { element, table } from "./parts/dom.js";

const root = document.getElementById("docs");

class Description {
  constructor(document) {
    this.document = document;
  }

  resolved(schema) {
    return schema?.$ref ? schema.$ref.slice(2).split("/").reduce((at, name) => at[name], this.document) : schema;
  }

  // A few words for a schema: "string", "list of Run", "integer or null".
  type(schema) {
    if (!schema) return "anything";
    if (schema.$ref) return this.resolved(schema).title ?? schema.$ref.split("/").at(-1);
    if (schema.const !== undefined) return JSON.stringify(schema.const);
    if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
    if (schema.anyOf) return schema.anyOf.map((each) => this.type(each)).join(" | ");
    if (schema.type === "array") return `list of ${this.type(schema.items)}`;
    if (schema.format) return schema.format;
    return schema.type ?? "anything";
  }

  // Names, types and words of an object's fields; of what an answer's `data` holds where it is one.
  fields(schema) {
    const whole = this.resolved(schema);
    const data = whole?.properties?.data;
    const inner = this.resolved(data?.type === "array" ? data.items : data) ?? whole;
    return Object.entries(inner?.properties ?? {}).map(([name, field]) => [
      name,
      this.type(field),
      [field.description, example(field)].filter(Boolean).join(" "),
    ]);
  }
}

function example(schema) {
  return schema.examples?.length ? `For example ${schema.examples.map((each) => JSON.stringify(each)).join(", ")}.` : "";
}

function operation(description, path, method, details) {
  const parameters = details.parameters ?? [];
  const schema = details.responses["200"]?.content?.["application/json"]?.schema;
  const fields = description.fields(schema);
  return element(
    "details",
    { className: "operation" },
    element("summary", {}, element("code", {}, `${method.toUpperCase()} ${path}`), element("span", { className: "dim" }, details.summary ?? "")),
    details.description ? element("p", {}, details.description) : null,
    method === "get" && !isEndless(details) ? form(description, path, parameters) : null,
    fields.length > 0 ? fieldTable(fields) : null,
  );
}

// A stream's answer would never be shown.
function isEndless(details) {
  return "text/event-stream" in (details.responses["200"]?.content ?? {});
}

function fieldTable(fields) {
  const made = table("Each answer's data has", ["Field", "Type", ""], fields);
  made.className = "fields";
  return made;
}

function form(description, path, parameters) {
  const inputs = parameters.map((parameter) => [parameter, input(description, parameter)]);
  const answer = element("pre", { className: "answer", hidden: true, tabIndex: 0 });
  const made = element(
    "form",
    {},
    ...inputs.map(([parameter, field]) =>
      element(
        "label",
        {},
        element("code", { className: parameter.required ? "required" : "" }, parameter.name),
        field,
        element("span", { className: "dim" }, parameter.description ?? ""),
      ),
    ),
    element("button", { type: "submit" }, "Ask"),
    answer,
  );
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    send(path, inputs, answer);
  });
  return made;
}

function input(description, parameter) {
  const schema = parameter.schema ?? {};
  const choices = [schema, ...(schema.anyOf ?? [])].find((each) => each.enum)?.enum;
  if (choices) return element("select", {}, ...["", ...choices].map((each) => element("option", {}, each)));
  const wanted = schema.anyOf?.find((each) => each.type !== "null") ?? schema;
  const hint = parameter.examples?.[0] ?? schema.examples?.[0] ?? wanted.examples?.[0] ?? schema.default ?? "";
  return element("input", { type: "text", required: parameter.required, placeholder: String(hint), ariaLabel: parameter.name });
}

async function send(path, inputs, answer) {
  let address = path;
  const query = new URLSearchParams();
  for (const [parameter, field] of inputs) {
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(field.value));
    else if (field.value !== "") query.set(parameter.name, field.value);
  }
  const asked = [address, query.toString()].filter(Boolean).join("?");
  answer.hidden = false;
  try {
    const response = await fetch(asked);
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json");
    answer.textContent = `GET ${asked}\n${response.status} ${response.statusText}\n\n${isJson ? indented(text) : text}`;
  } catch (error) {
    answer.textContent = `GET ${asked}\n${error.message}`;
  }
}

// The text as it came, indented: reading it into numbers and back would round large integers.
function indented(text) {
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  return text.replace(/"(?:[^"\\]|\\.)*"|\{\s*\}|\[\s*\]|[{}[\],:]|\s+/g, (token) => {
    if (token === "{" || token === "[") return (depth += 1), token + line();
    if (token === "}" || token === "]") return (depth -= 1), line() + token;
    if (token === ",") return token + line();
    if (token === ":") return ": ";
    return token.trim() === "" ? "" : token;
  });
}

function intro(info) {
  const [first, ...points] = info.description.trim().split(/\n+- /);
  const items = points.map((point) => element("li", {}, point.replace(/\s+/g, " ").replaceAll("`", "")));
  return [element("h2", {}, `${info.title}: the API`), element("p", {}, first), element("ul", {}, ...items)];
}

async function start() {
  const description = new Description(await (await fetch("/openapi.json")).json());
  const operations = Object.entries(description.document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, details]) => operation(description, path, method, details)),
  );
  root.append(...intro(description.document.info), ...operations);
}

start().catch((error) => root.append(element("p", { className: "hint" }, `The description could not be loaded: ${error.message}`)));
