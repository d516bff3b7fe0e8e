// Runs editors/vscode/extension.js against the program with a stand-in for what VS Code offers:
// node extension_test.js EXTENSION PROGRAM. Prints what the editor would show.
"use strict";
const Module = require("module");

class Range {
  constructor(a, b, c, d) {
    this.start = { line: a, character: b };
    this.end = { line: c, character: d };
  }
}
const uriOf = (text) => ({ toString: () => text });
const providers = {};
const published = [];
const listeners = {};
const on = (name) => (listener) => {
  listeners[name] = listener;
  return { dispose() {} };
};
const provide = (name) => (_selector, provider) => {
  providers[name] = provider;
  return { dispose() {} };
};
const vscode = {
  Range,
  Location: class { constructor(uri, range) { Object.assign(this, { uri, range }); } },
  Diagnostic: class { constructor(range, message, severity) { Object.assign(this, { range, message, severity }); } },
  DiagnosticRelatedInformation: class { constructor(location, message) { Object.assign(this, { location, message }); } },
  DiagnosticSeverity: { Error: 0, Warning: 1 },
  CompletionItem: class { constructor(label, kind) { Object.assign(this, { label, kind }); } },
  DocumentSymbol: class { constructor(name, detail, kind, range) { Object.assign(this, { name, kind, range }); } },
  Hover: class { constructor(contents, range) { Object.assign(this, { contents, range }); } },
  MarkdownString: class { constructor(value) { this.value = value; } },
  TextEdit: class { constructor(range, newText) { Object.assign(this, { range, newText }); } },
  Uri: { parse: uriOf },
  window: { showErrorMessage: (text) => console.log("error: " + text) },
  workspace: {
    getConfiguration: () => ({ get: () => process.argv[3] }),
    textDocuments: [],
    onDidOpenTextDocument: on("open"),
    onDidCloseTextDocument: on("close"),
    onDidSaveTextDocument: on("save"),
    onDidChangeTextDocument: on("change"),
  },
  languages: {
    createDiagnosticCollection: () => ({ set: (_uri, list) => published.push(list), dispose() {} }),
    registerHoverProvider: provide("hover"),
    registerDefinitionProvider: provide("definition"),
    registerCompletionItemProvider: provide("completion"),
    registerDocumentSymbolProvider: provide("symbols"),
    registerDocumentFormattingEditProvider: provide("formatting"),
  },
};
const load = Module._load;
Module._load = (name, ...rest) => (name === "vscode" ? vscode : load(name, ...rest));
const extension = require(process.argv[2]);

const text = "graph f( x: f32[B]) -> f32 {\n    let äöü = 1.0\n    return sum(x, Q)\n}\n";
const document = {
  languageId: "tercet", version: 1, uri: uriOf("file:///nowhere/test.tct"), getText: () => text.replace("äöü", "y"),
};
const at = (line, character) => ({ line, character });

(async () => {
  const context = { subscriptions: [] };
  await extension.activate(context);
  listeners.open(document);
  const hover = await providers.hover.provideHover(document, at(0, 6));
  console.log("hover: " + hover.contents.value.split("\n")[1]);
  console.log("diagnostic: " + published[0].map((d) => `${d.code.value} ${d.range.start.line} ${d.severity}`));
  listeners.change({ document, contentChanges: [{ range: new Range(2, 18, 2, 19), text: "B" }] });
  const completion = await providers.completion.provideCompletionItems(document, at(2, 11));
  console.log("completion: " + completion.filter((c) => c.label === "sum").map((c) => `${c.label} ${c.kind}`));
  console.log("corrected: " + published[1].length);
  const definition = await providers.definition.provideDefinition(document, at(2, 15));
  console.log("definition: " + definition.range.start.line + " " + definition.range.start.character);
  console.log("symbols: " + (await providers.symbols.provideDocumentSymbols(document)).map((s) => `${s.name} ${s.kind}`));
  const edits = await providers.formatting.provideDocumentFormattingEdits(document, {});
  console.log("formatting: " + edits.map((e) => e.newText));
  listeners.close(document);
  for (const s of context.subscriptions) s.dispose();
  await extension.deactivate();
})();
