// A small program in the place of OpenClaw: the provider takes any `node openclaw` pair as input.
// It knows the commands that the provider uses and serves /startupz; `behaviour.json` beside it says how it misbehaves.
import { execFileSync, spawn } from "node:child_process";
import { createServer } from "node:http";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const behaviourFile = join(here, "behaviour.json");
const behaviour = existsSync(behaviourFile) ? JSON.parse(readFileSync(behaviourFile, "utf8")) : {};
const [command, verb, ...rest] = process.argv.slice(2);
const state = process.env.OPENCLAW_STATE_DIR;
const database = join(state ?? "/", "state", "openclaw.sqlite");

function option(name) {
  const all = process.argv;
  return all[all.indexOf(name) + 1];
}

if (command === "gateway") {
  const config = JSON.parse(readFileSync(process.env.OPENCLAW_CONFIG_PATH, "utf8"));
  console.log(`small gateway starts as uid ${process.getuid()} with token ${process.env.CLAWSTACK_PROXY_TOKEN}`);
  mkdirSync(join(state, "state"), { recursive: true });
  writeFileSync(database, "the memory of this cell\n");
  writeFileSync(join(state, "starts.log"), `${process.pid}\n`, { flag: "a" });
  const starts = readFileSync(join(state, "starts.log"), "utf8").trim().split("\n").length;
  if (behaviour.exit !== undefined && starts <= (behaviour.times ?? starts)) {
    console.log(`refusing: ${behaviour.reason ?? "told so"}`);
    process.exit(behaviour.exit);
  }
  if (behaviour.runaway) {
    // A grandchild in a session of its own, which outlives its parent and ignores SIGTERM.
    spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"], {
      detached: true,
      stdio: "ignore",
    }).unref();
  }
  if (behaviour.memory_mb) globalThis.hog = Buffer.alloc(behaviour.memory_mb * 1024 * 1024, 1);
  if (behaviour.deaf) process.on("SIGTERM", () => {});
  else process.on("SIGTERM", () => process.exit(0));
  const started = Date.now();
  createServer((request, response) => {
    if (request.url === "/healthz") writeFileSync(join(state, "asked.log"), `${process.pid}\n`, { flag: "a" });
    const ok = Date.now() - started >= (behaviour.delay_ms ?? 0);
    response.writeHead(ok ? 200 : 503, { "content-type": "application/json" });
    response.end(
      JSON.stringify({
        ok,
        status: ok ? "started" : "starting",
        version: behaviour.version ?? "2026.1.1",
        model: config.agents.defaults.model.primary,
      }),
    );
  }).listen(config.gateway.port, "127.0.0.1");
} else if (command === "backup" && verb === "create") {
  if (behaviour.no_backup) {
    console.error("the database is locked");
    process.exit(1);
  }
  if (String(execFileSync("find", [state, "-mindepth", "65", "-type", "d", "-print", "-quit"])) !== "") {
    console.error("nested too deep: this never ends");
    process.exit(1);
  }
  if (existsSync(database) && statSync(database).size === 0) {
    console.error("SQLite snapshot source must not be empty");
    process.exit(1);
  }
  if (behaviour.pipe) execFileSync("mkfifo", [join(option("--output"), "backup.tar.gz")]);
  else execFileSync("tar", ["-czf", join(option("--output"), "backup.tar.gz"), "-C", state, "."]);
  console.log(JSON.stringify({ verified: behaviour.verified ?? true }));
} else if (command === "sessions" && verb === "list") {
  writeFileSync(database, "tables without rows\n"); // as every command does that reads the state
} else if (command === "backup" && verb === "restore") {
  mkdirSync(option("--target"), { recursive: true });
  if (behaviour.pipe) execFileSync("mkfifo", [join(option("--output"), "backup.tar.gz")]);
  else execFileSync("tar", ["-xzf", rest[0], "-C", option("--target")]);
  console.log(JSON.stringify({ entries: readdirSync(option("--target")).length }));
} else {
  process.exit(2);
}
