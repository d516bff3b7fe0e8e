// Connects VS Code with `tercet lsp`: a client of the Language Server Protocol for what that server offers, with
// nothing but what VS Code and Node bring along.
"use strict";
const child_process = require("child_process");
const vscode = require("vscode");

// Messages over the pipes of the program.
class Connection {
  constructor(program, onNotification, onEnd) {
    this.next = 1;
    this.waiting = new Map();
    this.input = Buffer.alloc(0);
    this.onNotification = onNotification;
    this.process = child_process.spawn(program, ["lsp"], { stdio: ["pipe", "pipe", "inherit"] });
    this.process.stdin.on("error", () => {});
    this.process.stdout.on("data", (chunk) => this.receive(chunk));
    const ended = (why) => {
      for (const { reject } of this.waiting.values()) reject(new Error(why));
      this.waiting.clear();
      onEnd(why);
    };
    this.process.on("error", (error) => ended(error.message));
    this.process.on("exit", (code) => ended("it ended with status " + code));
  }

  receive(chunk) {
    this.input = Buffer.concat([this.input, chunk]);
    for (;;) {
      const end = this.input.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = /Content-Length: (\d+)/i.exec(this.input.toString("latin1", 0, end));
      const begin = end + 4;
      if (!length || this.input.length < begin + Number(length[1])) return;
      const message = JSON.parse(this.input.toString("utf8", begin, begin + Number(length[1])));
      this.input = this.input.subarray(begin + Number(length[1]));
      this.dispatch(message);
    }
  }

  dispatch(message) {
    const waiting = message.id === undefined ? undefined : this.waiting.get(message.id);
    if (!waiting) {
      if (message.method) this.onNotification(message.method, message.params);
      return;
    }
    this.waiting.delete(message.id);
    if (message.error) waiting.reject(new Error(message.error.message));
    else waiting.resolve(message.result);
  }

  send(message) {
    const content = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }), "utf8");
    this.process.stdin.write(`Content-Length: ${content.length}\r\n\r\n`);
    this.process.stdin.write(content);
  }

  notify(method, params) {
    this.send({ method, params });
  }

  request(method, params) {
    const id = this.next++;
    this.send({ id, method, params });
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }
}

const selector = { language: "tercet" };
const toRange = (r) => new vscode.Range(r.start.line, r.start.character, r.end.line, r.end.character);
const toLocation = (l) => new vscode.Location(vscode.Uri.parse(l.uri), toRange(l.range));
const place = (document, position) => ({
  textDocument: { uri: document.uri.toString() },
  position: { line: position.line, character: position.character },
});

function toDiagnostic(d) {
  const severity = d.severity === 1 ? vscode.DiagnosticSeverity.Error : vscode.DiagnosticSeverity.Warning;
  const out = new vscode.Diagnostic(toRange(d.range), d.message, severity);
  out.source = d.source;
  out.code = d.codeDescription ? { value: d.code, target: vscode.Uri.parse(d.codeDescription.href) } : d.code;
  out.relatedInformation = (d.relatedInformation || []).map(
    (r) => new vscode.DiagnosticRelatedInformation(toLocation(r.location), r.message)
  );
  return out;
}

function toCompletion(item) {
  const out = new vscode.CompletionItem(item.label, item.kind - 1); // VS Code counts from 0
  out.detail = item.detail;
  out.sortText = item.sortText;
  if (item.documentation) out.documentation = new vscode.MarkdownString(item.documentation.value);
  return out;
}

function toSymbol(s) {
  const out = new vscode.DocumentSymbol(s.name, "", s.kind - 1, toRange(s.range), toRange(s.selectionRange));
  out.children = (s.children || []).map(toSymbol);
  return out;
}

// The documents of the language, told to the server as they open, change and close.
function followDocuments(connection, subscriptions) {
  const ours = (document) => document.languageId === "tercet";
  const opened = (document) =>
    ours(document) &&
    connection.notify("textDocument/didOpen", {
      textDocument: {
        uri: document.uri.toString(),
        languageId: "tercet",
        version: document.version,
        text: document.getText(),
      },
    });
  const id = (document) => ({ textDocument: { uri: document.uri.toString() } });
  vscode.workspace.textDocuments.forEach(opened);
  subscriptions.push(
    vscode.workspace.onDidOpenTextDocument(opened),
    vscode.workspace.onDidCloseTextDocument((d) => ours(d) && connection.notify("textDocument/didClose", id(d))),
    vscode.workspace.onDidSaveTextDocument((d) => ours(d) && connection.notify("textDocument/didSave", id(d))),
    vscode.workspace.onDidChangeTextDocument((change) => {
      if (!ours(change.document) || change.contentChanges.length === 0) return;
      connection.notify("textDocument/didChange", {
        textDocument: { uri: change.document.uri.toString(), version: change.document.version },
        contentChanges: change.contentChanges.map((c) => ({ range: c.range, text: c.text })),
      });
    })
  );
}

function offerFeatures(connection, subscriptions) {
  const ask = (method, document, position) => connection.request("textDocument/" + method, place(document, position));
  const languages = vscode.languages;
  subscriptions.push(
    languages.registerHoverProvider(selector, {
      provideHover: async (document, position) => {
        const hover = await ask("hover", document, position);
        return hover && new vscode.Hover(new vscode.MarkdownString(hover.contents.value), toRange(hover.range));
      },
    }),
    languages.registerDefinitionProvider(selector, {
      provideDefinition: async (document, position) => {
        const location = await ask("definition", document, position);
        return location && toLocation(location);
      },
    }),
    languages.registerCompletionItemProvider(
      selector,
      {
        provideCompletionItems: async (document, position) =>
          (await ask("completion", document, position)).items.map(toCompletion),
      },
      ".", "(", '"'
    ),
    languages.registerDocumentSymbolProvider(selector, {
      provideDocumentSymbols: async (document) =>
        (
          await connection.request("textDocument/documentSymbol", { textDocument: { uri: document.uri.toString() } })
        ).map(toSymbol),
    }),
    languages.registerDocumentFormattingEditProvider(selector, {
      provideDocumentFormattingEdits: async (document, options) => {
        const textDocument = { uri: document.uri.toString() };
        const edits = await connection.request("textDocument/formatting", { textDocument, options });
        return edits.map((e) => new vscode.TextEdit(toRange(e.range), e.newText));
      },
    })
  );
}

let connection;

async function activate(context) {
  const program = vscode.workspace.getConfiguration("tercet").get("program", "tercet");
  if (!program) return;
  const diagnostics = vscode.languages.createDiagnosticCollection("tercet");
  let stopped = false;
  context.subscriptions.push(diagnostics, { dispose: () => (stopped = true) });
  connection = new Connection(
    program,
    (method, params) => {
      if (method === "textDocument/publishDiagnostics")
        diagnostics.set(vscode.Uri.parse(params.uri), params.diagnostics.map(toDiagnostic));
    },
    (why) => stopped || vscode.window.showErrorMessage(`No language server: \`${program} lsp\`: ${why}`)
  );
  await connection.request("initialize", {
    processId: process.pid,
    rootUri: null,
    capabilities: { general: { positionEncodings: ["utf-16"] } },
  });
  connection.notify("initialized", {});
  followDocuments(connection, context.subscriptions);
  offerFeatures(connection, context.subscriptions);
}

async function deactivate() {
  if (!connection) return;
  await connection.request("shutdown");
  connection.notify("exit");
}

module.exports = { activate, deactivate };
