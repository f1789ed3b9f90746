// The page's addresses: `#/runs/run%201?x=time` is the segments ["runs", "run 1"] and a query. All that a view
// can be told is in its address, so that whoever is sent one sees the same.

export function address() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { segments: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

// `query` is what URLSearchParams takes, or an object whose lists are repeated parameters and whose empty values are left out.
export function link(segments, query = {}) {
  const text = asParameters(query).toString();
  return `#/${segments.map(encodeURIComponent).join("/")}${text && "?"}${text}`;
}

// Puts the changes into the address in force. It is replaced: one step back leaves the view.
export function change(changes) {
  const { segments, query } = address();
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    for (const [, each] of asParameters({ [name]: value })) query.append(name, each);
  }
  history.replaceState(null, "", link(segments, query));
}

function asParameters(query) {
  if (query instanceof URLSearchParams) return query;
  const pairs = Object.entries(query).flatMap(([name, value]) => [value].flat().map((each) => [name, each]));
  return new URLSearchParams(pairs.filter(([, each]) => each !== null && each !== undefined && each !== ""));
}

function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // an address that somebody typed
  }
}
