// Asks the YAML language server what an editor would ask it about a scenario file: what it shows
// when the cursor rests on a word, what it completes, and what it marks as wrong.
//
// Usage: node ask.mjs SERVER FOLDER
// SERVER is the script of the language server, FOLDER holds scenario.schema.json.
// Every answer is waited for, at most 20 s; without one the exit code is 1.

import { spawn } from "node:child_process";
import { pathToFileURL } from "node:url";
import path from "node:path";

const [script, folder] = process.argv.slice(2);
const server = spawn(process.execPath, [script, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
process.on("exit", () => server.kill("SIGKILL"));
const deadline = setTimeout(() => fail("the language server does not answer"), 20_000);

const settings = {
  yaml: {
    hover: true, completion: true, validate: true, hoverSchemaSource: false,
    schemaStore: { enable: false },
  },
};

const MODELINE = "# yaml-language-server: $schema=scenario.schema.json\n";
const FILE = `${MODELINE}scenario: shop
vars: { ack: manual }
topology:
  queues:
    - name: orders
      type: quorum
producers:
  - name: shop
    to: { queue: orders }
    messages: 20
    size: { range: [64B, 4KiB] }
workers:
  - name: clerk
    queue: orders
    ack: $ack
    prefetch: 5
    work: { per_dot: 20ms }
faults:
  - kill: clerk
    how: close_channel
    during: 4
expect:
  lost: 0
  delivered: ">= 90%"
  queues: { orders: { redelivered: "> 0" } }
`;

// What is asked: the file, a piece of its text, and where in it the cursor is (after that many
// characters). A completion is asked for behind the text that is put at the end of the file.
const HOVERS = ["prefetch: 5", "size: {", "work: {", "delivered: \"", "redelivered: \"", "kill: clerk",
  "how: close", "close_channel", "type: quorum", "per_dot: 20", "faults:"];
const COMPLETIONS = [
  ["the keys of a file", ""],
  ["the keys of a worker", "workers:\n  - name: clerk\n    "],
  ["the values of `ack`", "workers:\n  - name: clerk\n    ack: "],
  ["the values of a switch", "workers:\n  - name: clerk\n    exclusive: "],
  ["the keys of a trigger", "workers:\n  - name: clerk\n    start:\n      "],
  ["the keys of `work`", "workers:\n  - name: clerk\n    work:\n      "],
  ["the names of counts", "expect:\n  un"],
  ["the keys of a fault", "faults:\n  - "],
];
const WRONG = `${MODELINE}scenario: shop
workers:
  - name: clerk
    prefech: 1
    ack: manuel
    work: 50
expect: { lost: "90%" }
`;

const PART = `${MODELINE}part: orders
include: more.yaml
vars: { durable: true }
topology:
  queues: [{ name: orders, durable: $durable }]
`;
const WRONG_PART = `${PART}expect: { lost: 0 }
`;

let number = 0;
const waiting = new Map();
let buffer = Buffer.alloc(0);
server.stdout.on("data", (chunk) => {
  buffer = Buffer.concat([buffer, chunk]);
  for (let message; (message = next()); ) receive(message);
});
server.on("exit", (code) => fail(`the language server ended with ${code}`));

function next() {
  const end = buffer.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, end))[1]);
  if (buffer.length < end + 4 + length) return null;
  const message = JSON.parse(buffer.subarray(end + 4, end + 4 + length));
  buffer = buffer.subarray(end + 4 + length);
  return message;
}

function receive(message) {
  if (message.method === "workspace/configuration") {
    const of = (item) => item.section?.split(".").reduce((at, key) => at?.[key], settings) ?? null;
    write({ id: message.id, result: message.params.items.map(of) });
  } else if (message.method && message.id !== undefined) {
    write({ id: message.id, result: null });
  } else if (message.method === "textDocument/publishDiagnostics") {
    const key = `marks of ${message.params.uri}`;
    waiting.get(key)?.(message.params.diagnostics);
    waiting.delete(key);
  } else if (message.id !== undefined) {
    waiting.get(message.id)?.(message.error ? fail(message.error.message) : message.result);
    waiting.delete(message.id);
  }
}

function write(message) {
  const text = JSON.stringify({ jsonrpc: "2.0", ...message });
  server.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
}

function ask(method, params) {
  const id = ++number;
  write({ id, method, params });
  return new Promise((resolve) => waiting.set(id, resolve));
}

function fail(why) {
  console.error(`error: ${why}`);
  process.exit(1);
}

/** Opens a file; what is marked as wrong in it. */
function open(name, text) {
  const uri = pathToFileURL(path.resolve(folder, name)).href;
  const marks = new Promise((resolve) => waiting.set(`marks of ${uri}`, resolve));
  const textDocument = { uri, languageId: "yaml", version: 1, text };
  write({ method: "textDocument/didOpen", params: { textDocument } });
  return marks.then((marks) => ({ uri, marks }));
}

function position(text, offset) {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length - 1, character: before.at(-1).length };
}

const capabilities = {
  textDocument: {
    hover: { contentFormat: ["markdown"] },
    completion: { completionItem: { snippetSupport: true, documentationFormat: ["markdown"] } },
  },
  workspace: { configuration: true, didChangeConfiguration: { dynamicRegistration: true } },
};
await ask("initialize", { processId: process.pid, rootUri: pathToFileURL(path.resolve(folder)).href, capabilities });
write({ method: "initialized", params: {} });
write({ method: "workspace/didChangeConfiguration", params: { settings } });

const { uri, marks } = await open("right.yaml", FILE);
console.log(`marks in a file that is right: ${marks.length}`);
for (const mark of marks) console.log(`  ${mark.range.start.line + 1}: ${mark.message}`);
for (const word of HOVERS) {
  const place = position(FILE, FILE.indexOf(word) + 1);
  const answer = await ask("textDocument/hover", { textDocument: { uri }, position: place });
  console.log(`\nhover on ${word}`);
  console.log(answer?.contents?.value?.trim().replaceAll(/^/gm, "  ") ?? "  (nothing)");
}
for (const [index, [what, head, tail = ""]] of COMPLETIONS.entries()) {
  const before = `${MODELINE}scenario: shop\n${head}`;
  const text = before + tail;
  const { uri } = await open(`part-${index}.yaml`, text);
  const answer = await ask("textDocument/completion", {
    textDocument: { uri }, position: position(text, before.length), context: { triggerKind: 1 },
  });
  console.log(`\ncompletion of ${what}`);
  for (const item of answer.items ?? answer) {
    const text = JSON.stringify(item.textEdit?.newText ?? item.insertText);
    const said = (item.documentation?.value ?? item.documentation ?? "").split("\n")[0];
    console.log(`  ${item.label}  ${text}  ${said}`);
  }
}
for (const [what, name, text] of [
  ["a file that is wrong", "wrong.yaml", WRONG],
  ["a part that is right", "orders.yaml", PART],
  ["a part that expects something", "wrong-part.yaml", WRONG_PART],
]) {
  const { marks } = await open(name, text);
  console.log(`\nmarks in ${what}: ${marks.length}`);
  for (const mark of marks) console.log(`  ${mark.range.start.line + 1}: ${mark.message}`);
}
clearTimeout(deadline);
process.exit(0);
