// The platform's hand on a machine: exchanges the boot token, opens the volume, installs OpenClaw, keeps the gateway as
// the platform wants it, backs it up, and reports. It calls; nobody can call it. Only what Node brings along is used.
// CLAWSTACK_ROOT is empty except in a rehearsal, where it stands before every path.
import { spawn } from "node:child_process";
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes, randomInt } from "node:crypto";
import { lookup } from "node:dns/promises";
import { constants, createReadStream } from "node:fs";
import * as fs from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

const ROOT = process.env.CLAWSTACK_ROOT ?? "";
const at = (place) => ROOT + place;
const ETC = at("/etc/clawstack");
const machine = JSON.parse(await fs.readFile(`${ETC}/machine.json`, "utf8"));
const BASE = `${machine.platform}/v1/servers/${machine.slug}`;
const HOSTS = at("/run/clawstack/hosts"); // tenants/server/places.py
const FORMAT = 1;
const EXIT_REFUSED = 77; // systemd does not start the agent again
const GATEWAY_REFUSES = "78"; // OpenClaw's exit code for "an operator is needed"
const CHUNK = 1024 * 1024; // of the archive's format (tenants/backups/stream.py)
const LOG_CHUNK = 128 * 1024;
const LOG_LIMIT = 20 * 1024 * 1024;
const RETRY_SECONDS = 20;
const say = (...words) => console.log("clawstack-agent:", ...words);

class Trouble extends Error {
  constructor(code, reason, { final = false } = {}) {
    super(reason);
    Object.assign(this, { code, final }); // final: trying again changes nothing until the platform wants something else
  }
}

// --- small tools --------------------------------------------------------------------------------------------------

const read = (file) => fs.readFile(file, "utf8").catch(() => null);
const veiled = (text) => (bundle?.secrets ?? []).reduce((told, secret) => told.replaceAll(secret, "[secret]"), text);
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const exists = (file) => fs.access(file).then(() => true, () => false);

async function write(file, text, { mode = 0o600, uid = null, gid = null } = {}) {
  const same = (await read(file)) === text && ((await fs.lstat(file)).mode & 0o7777) === mode;
  if (same) return false;
  const draft = `${file}.${randomBytes(4).toString("hex")}`;
  const handle = await fs.open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    await handle.writeFile(text);
    if (uid !== null || gid !== null) await handle.chown(uid ?? process.getuid(), gid ?? process.getgid());
    await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fs.rename(draft, file);
  return true;
}

async function folder(place, mode, ids = null) {
  await fs.mkdir(place, { recursive: true, mode });
  if (ids) await fs.chown(place, ids.uid ?? process.getuid(), ids.gid);
  await fs.chmod(place, mode);
}

function run(program, args, { input = null, ids = null, env = null, seconds = 120, accept = [0], code = "machine_failed" } = {}) {
  const as = ids && process.getuid() === 0 ? { uid: ids.uid, gid: ids.gid } : {};
  const options = { ...as, cwd: "/", env: env ?? { ...process.env, LC_ALL: "C" }, timeout: seconds * 1000, killSignal: "SIGKILL" };
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: [input === null ? "ignore" : "pipe", "pipe", "pipe"] });
    const [out, err] = [[], []];
    child.stdout.on("data", (data) => out.push(data));
    child.stderr.on("data", (data) => err.push(data));
    child.on("error", (error) => reject(new Trouble(code, `${program}: ${error.message}`)));
    child.on("close", (status, signal) => {
      const [stdout, stderr] = [Buffer.concat(out).toString(), Buffer.concat(err).toString()];
      if (accept.includes(status)) return resolve({ status, stdout, stderr });
      const words = (stderr || stdout).trim().slice(-600) || "it said nothing";
      reject(new Trouble(code, `${path.basename(program)} ${args[0] ?? ""} ended with ${signal ?? status}: ${words}`));
    });
    if (input !== null) child.stdin.on("error", () => {}).end(input);
  });
}

// --- the platform -------------------------------------------------------------------------------------------------

async function call(method, place, token, { json, body, headers = {}, seconds = 60 } = {}) {
  const type = json === undefined ? {} : { "Content-Type": "application/json" };
  return await fetch(BASE + place, {
    method,
    body: json === undefined ? body : JSON.stringify(json),
    headers: { Authorization: `Bearer ${token}`, ...type, ...headers },
    redirect: "error",
    signal: AbortSignal.timeout(seconds * 1000),
    ...(body ? { duplex: "half" } : {}),
  });
}

async function ask(method, place, options) {
  const response = await call(method, place, token, options);
  if (response.status === 401) await refused("the platform does not know this machine any more");
  const text = await response.text();
  if (!response.ok) throw new Trouble("platform_refused", `${method} ${place}: ${response.status} ${text.slice(0, 300)}`);
  return JSON.parse(text || "{}");
}

async function refused(why) {
  say("refused:", why);
  await run("systemctl", ["stop", "clawstack-gateway.service"], { seconds: 360 }).catch(() => {});
  process.exit(EXIT_REFUSED);
}

// The secret is made here and only its hash is sent: an answer that got lost can be asked for again with the secret.
async function credentials() {
  const kept = await read(`${ETC}/agent-token`);
  if (kept) return kept.trim();
  const boot = (await read(`${ETC}/boot-token`))?.trim();
  if (!boot) await refused("there is neither an agent token nor a boot token");
  const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const fresh = () => Array.from({ length: 43 }, () => alphabet[randomInt(alphabet.length)]).join("");
  const secret = (await read(`${ETC}/agent-secret`)) ?? fresh();
  await write(`${ETC}/agent-secret`, secret);
  const agent = `clawag_${boot.split("_")[1]}_${secret}`;
  while (!(await exchanged(boot, agent, secret))) await sleep(5000);
  await write(`${ETC}/agent-token`, agent);
  for (const spent of ["boot-token", "agent-secret"]) await fs.rm(`${ETC}/${spent}`, { force: true });
  return agent;
}

async function exchanged(boot, agent, secret) {
  try {
    const response = await call("POST", "/boot", boot, { json: { agent_hash: sha256(secret), machine: await identity() } });
    if (response.ok) return (first = await response.json()) !== null;
    if (response.status >= 500 || response.status === 429) return false;
    if (response.status === 409 && (await call("GET", "/bundle", agent)).ok) return true;
    return await refused(`${response.status} ${(await response.text()).slice(0, 300)}`);
  } catch (error) {
    say("the platform cannot be reached yet:", error.cause?.code ?? error.message);
    return false;
  }
}

const identity = async () => ((await read(at("/etc/machine-id"))) ?? "unknown").trim().slice(0, 64);

// --- bringing the cell up -----------------------------------------------------------------------------------------

async function ids(bundle) {
  const [uid, gid] = await Promise.all(["-u", "-g"].map((flag) => run("id", [flag, bundle.account])));
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

async function install(bundle) {
  const { home, version, lock_sha256, registry } = machine.openclaw;
  if (await exists(at(`${home}/.verified`))) return;
  now("booting", null, "OpenClaw is being installed.");
  await run("nft", ["delete", "table", "inet", "clawstack"], { accept: [0, 1] }); // of a snapshot; the gateway does not run
  const { manifest, lock } = await ask("GET", "/lockfile");
  if (sha256(lock) !== lock_sha256) {
    throw new Trouble("checksum_mismatch", "The platform's package-lock.json does not have the pinned checksum.", { final: true });
  }
  const [draft, node] = [at(`${home}.new`), at(machine.node)];
  await fs.rm(draft, { recursive: true, force: true });
  await folder(draft, 0o755);
  await write(`${draft}/package.json`, manifest, { mode: 0o644 });
  await write(`${draft}/package-lock.json`, lock, { mode: 0o644 });
  const npm = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", draft, ...(registry ? ["--registry", registry] : [])];
  const env = { ...process.env, PATH: `${node}/bin:${process.env.PATH}`, HOME: draft };
  await run(`${node}/bin/npm`, npm, { seconds: 900, env, code: "install_failed" });
  const told = await run(`${node}/bin/node`, [`${draft}/node_modules/openclaw/openclaw.mjs`, "--version"], { env, code: "install_failed" });
  if (!told.stdout.includes(version)) throw new Trouble("install_failed", `OpenClaw says ${told.stdout.trim()}, not ${version}.`);
  await fs.rm(`${draft}/.npm`, { recursive: true, force: true }); // npm's cache: as much again
  await run("chmod", ["-R", "u=rwX,go=rX", draft]);
  await write(`${draft}/.verified`, version, { mode: 0o644 });
  await fs.rm(at(home), { recursive: true, force: true });
  await fs.rename(draft, at(home));
  say(`OpenClaw ${version} is installed for`, bundle.slug);
}

async function device(pattern) {
  const place = at(path.dirname(pattern));
  const prefix = path.basename(pattern).replace("*", "");
  for (let tries = 0; tries < 150; tries += 1) {
    const found = (await fs.readdir(place).catch(() => [])).filter((name) => name.startsWith(prefix) && !name.includes("-part"));
    if (found.length > 1) throw new Trouble("volume_ambiguous", `There are ${found.length} volumes; a cell has one.`, { final: true });
    if (found.length === 1) return `${place}/${found[0]}`;
    await sleep(2000);
  }
  throw new Trouble("volume_missing", "The volume did not appear within five minutes.");
}

async function openVolume({ devices, mapping, mount, key }) {
  if ((await run("mountpoint", ["-q", at(mount)], { accept: [0, 1, 32] })).status === 0) return;
  now("booting", null, "The volume is being opened.");
  const disk = await device(devices);
  const opened = at(`/dev/mapper/${mapping}`);
  const secret = { input: key, code: "volume_locked", seconds: 300 };
  if (!(await exists(opened))) {
    if ((await run("cryptsetup", ["isLuks", disk], { accept: [0, 1] })).status !== 0) {
      // Only what is blank is ever formatted: blkid answers 2 when it finds nothing on the disk.
      const blank = (await run("blkid", ["--probe", disk], { accept: [0, 2, 8] })).status === 2;
      if (!blank) throw new Trouble("volume_not_blank", "The volume holds something that is not this platform's.", { final: true });
      await run("cryptsetup", ["luksFormat", "--type", "luks2", "--batch-mode", "--key-file=-", disk], secret);
    }
    await run("cryptsetup", ["open", "--key-file=-", disk, mapping], secret);
  }
  if ((await run("blkid", ["--probe", opened], { accept: [0, 2, 8] })).status === 2) {
    await run("mkfs.ext4", ["-q", "-L", "clawstack", opened], { seconds: 600 });
  }
  await folder(at(mount), 0o711);
  await run("mount", ["-o", "noatime,nodev,nosuid", opened, at(mount)]);
  await run("cryptsetup", ["resize", "--key-file=-", mapping], secret); // both do nothing unless the volume has grown
  await run("resize2fs", [opened], { seconds: 600 });
}

async function closeVolume({ mapping, mount }) {
  await run("sync", []);
  if ((await run("mountpoint", ["-q", at(mount)], { accept: [0, 1, 32] })).status === 0) await run("umount", [at(mount)]);
  if (await exists(at(`/dev/mapper/${mapping}`))) await run("cryptsetup", ["close", mapping]);
}

async function placeFiles(bundle, account) {
  const { root } = bundle.gateway;
  const mine = [`${root}/config/`, "/run/clawstack/", "/etc/systemd/system/clawstack-", "/etc/clawstack/wall."];
  await folder(at("/run/clawstack"), 0o711);
  await fs.rm(at("/run/clawstack/workspace"), { recursive: true, force: true });
  await folder(at("/run/clawstack/workspace"), 0o750, { gid: account.gid });
  await folder(at(root), 0o711);
  await folder(at(`${root}/config`), 0o750, { gid: account.gid });
  await folder(at(`${root}/logs`), 0o700);
  await folder(at(`${root}/state`), 0o700, account);
  const changed = new Set();
  for (const file of bundle.files) {
    const fits = mine.some((start) => file.path.startsWith(start)) && path.posix.normalize(file.path) === file.path;
    if (!fits) throw new Trouble("bundle_refused", `The platform sent a file for ${file.path}.`, { final: true });
    const gid = file.group === bundle.account ? account.gid : null;
    if (await write(at(file.path), file.text, { mode: parseInt(file.mode, 8), gid })) changed.add(path.basename(file.path));
  }
  return changed;
}

async function raiseWall(bundle, changed) {
  if (changed.has(bundle.gateway.wall)) await run("systemctl", ["daemon-reload"]);
  await run("systemctl", ["enable", bundle.gateway.wall]);
  const loaded = !changed.has("wall.nft") && (await run("nft", ["list", "table", "inet", "clawstack"], { accept: [0, 1] })).status === 0;
  if (!loaded) await run("systemctl", ["restart", bundle.gateway.wall], { code: "wall_failed" });
  await openForPlatform();
}

// The platform is known by its name; where it is now goes into the wall's sets, and into the hosts file of the gateway,
// which asks no name server. Written in place: a gateway that runs has this very file mounted.
async function openForPlatform() {
  const name = new URL(machine.platform).hostname.replace(/[[\]]/g, "");
  const found = await lookup(name, { all: true });
  const lines = ["127.0.0.1 localhost", "::1 localhost", ...found.filter((entry) => entry.address !== name).map((entry) => `${entry.address} ${name}`)];
  await fs.mkdir(path.dirname(HOSTS), { recursive: true });
  await fs.writeFile(HOSTS, lines.join("\n") + "\n", { mode: 0o644 });
  const rules = [4, 6].map((family) => {
    const addresses = found.filter((entry) => entry.family === family).map((entry) => entry.address);
    const set = `set inet clawstack platform${family}`;
    return `flush ${set}\n` + (addresses.length ? `add element ${set.slice(4)} { ${addresses.join(", ")} }\n` : "");
  });
  await run("nft", ["-f", "-"], { input: rules.join("") });
}

async function bringUp(bundle) {
  if (bundle.format !== FORMAT) throw new Trouble("bundle_refused", `The bundle has format ${bundle.format}.`, { final: true });
  const { gateway } = bundle;
  const account = await ids(bundle);
  await install(bundle);
  await openVolume(bundle.volume);
  const changed = await placeFiles(bundle, account);
  await fill(bundle, account);
  await raiseWall(bundle, changed);
  if (changed.has(gateway.unit)) await run("systemctl", ["daemon-reload"]);
  const running = (await shown(gateway.unit)).ActiveState === "active";
  const started = running && (await read(at("/run/clawstack/started")))?.trim() === gateway.restart;
  if (!started) {
    now("starting", null, "The gateway is starting.");
    await run("systemctl", ["reset-failed", gateway.unit], { accept: [0, 1] });
    await run("systemctl", ["restart", gateway.unit], { seconds: 420, accept: [0, 1] }); // why it failed is asked below
    await write(at("/run/clawstack/started"), gateway.restart);
  }
  await untilReady(gateway);
  heard = Date.now();
  state.applied = bundle.version;
  now("ready", null, null);
}

// Exit code 78 may pass (a gateway without processor time loses the lease on its own state): tried again a few times.
// What it says counts as soon as no time is left for another try: an end without that word would be tried for ever.
async function untilReady(gateway) {
  let refusals = 0;
  const deadline = Date.now() + gateway.ready_seconds * 1000;
  while (Date.now() < deadline) {
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/startupz`, { signal: AbortSignal.timeout(4000) })
      .then((response) => response.json())
      .catch(() => null);
    if (answer?.ok === true && answer.status === "started") return;
    const unit = await shown(gateway.unit);
    if (unit.ActiveState === "failed" || unit.ActiveState === "inactive") {
      const tail = await lastWords(gateway);
      const pause = (gateway.refusal_pauses[refusals] ?? Infinity) * 1000;
      if (unit.ExecMainStatus === GATEWAY_REFUSES && Date.now() + pause < deadline) {
        say("refused", "gateway_refused_config", tail);
        refusals += 1;
        await sleep(pause);
        await run("systemctl", ["reset-failed", gateway.unit], { accept: [0, 1] });
        await run("systemctl", ["restart", gateway.unit], { seconds: 420, accept: [0, 1] });
        continue;
      }
      if (unit.ExecMainStatus === GATEWAY_REFUSES) {
        throw new Trouble("gateway_refused_config", `The gateway refuses to start: ${tail}`, { final: true });
      }
      throw new Trouble("gateway_not_ready", `The gateway ended (exit ${unit.ExecMainStatus || "?"}): ${tail}`);
    }
    await sleep(1000);
  }
  throw new Trouble("gateway_not_ready", `No answer within ${gateway.ready_seconds} s: ${await lastWords(gateway)}`);
}

async function shown(unit) {
  const names = "ActiveState,ExecMainStatus,NRestarts,MemoryCurrent,ExecMainStartTimestamp";
  const { stdout } = await run("systemctl", ["show", unit, "--timestamp=unix", `--property=${names}`]);
  return Object.fromEntries(stdout.split("\n").filter(Boolean).map((line) => line.split(/=(.*)/s).slice(0, 2)));
}

const logFile = (gateway) => at(`${gateway.root}/logs/gateway.log`);
const lastWords = async (gateway) => {
  const text = veiled((await read(logFile(gateway))) ?? "");
  return text.trim().split("\n").slice(-5).join(" | ").slice(-800) || "it said nothing";
};

// --- backups ------------------------------------------------------------------------------------------------------

async function backup(bundle) {
  const { gateway } = bundle;
  const [root, account] = [at(gateway.root), await ids(bundle)];
  if (!(await wasUsed(root))) return { empty: true };
  await discard(root, "backup-");
  const outbox = `${root}/backup-${randomBytes(4).toString("hex")}`;
  await folder(outbox, 0o700, account);
  try {
    await tidy(bundle, account);
    const create = () => openclaw(bundle, account, ["backup", "create", "--output", outbox, "--verify", "--json"]);
    const answer = await create().catch(async (refused) => {
      if (!new RegExp(bundle.backup.unfinished).test(refused.message)) throw refused;
      await openclaw(bundle, account, bundle.backup.finish); // a gateway was killed while it made its database
      return await create();
    });
    const made = (await fs.readdir(outbox)).filter((name) => name.endsWith(".tar.gz"));
    if (answer.verified !== true || made.length !== 1) throw new Trouble("backup_failed", `OpenClaw made ${made.length} archives.`);
    const sealed = await seal(`${outbox}/${made[0]}`, `${outbox}.enc`, bundle);
    const body = Readable.toWeb(createReadStream(`${outbox}.enc`));
    const headers = { "X-Sha256": sealed.sha256, "X-Plain-Sha256": sealed.plain, "X-Openclaw-Version": gateway.version };
    return await ask("PUT", "/backups", { body, headers, seconds: 1800 });
  } finally {
    await removed(outbox, `${outbox}.enc`);
  }
}

// The platform's script moves what OpenClaw cannot back up out of its way; the cell's account runs it, so that links in
// the state lead nowhere that it could not go itself. What it cannot mend, OpenClaw refuses.
async function tidy({ backup, gateway }, account) {
  const state = at(`${gateway.root}/state`);
  await fs.chmod(state, 0o700);
  const script = `${backup.tidy}\ntidy "$1" "$2"`;
  await run("sh", ["-c", script, "sh", state, randomBytes(4).toString("hex")], { ids: account, seconds: 600 }).catch(() => {});
}

// Whether a gateway ever wrote into the state: else there is nothing to back up, and a backup may be filled in.
const wasUsed = async (root) =>
  (await Promise.all(["state", "agents", "openclaw.json"].map((name) => exists(`${root}/state/${name}`)))).includes(true);

async function discard(root, prefix) {
  const old = (await fs.readdir(root)).filter((name) => name.startsWith(prefix));
  await removed(...old.map((name) => `${root}/${name}`));
}

// What the cell's account may fill is deleted by coreutils' rm: it goes from descriptor to descriptor and follows no link,
// where Node's goes by paths (a folder swapped for a link in the middle leads out of the tree, depth ends at PATH_MAX).
const removed = (...places) => run("rm", ["-rf", "--one-file-system", "--", ...places], { seconds: 1800 });

// Before the first start of a cell that begins with a backup. It can be killed anywhere: the state appears whole.
async function fill(bundle, account) {
  const root = at(bundle.gateway.root);
  if (!bundle.restore || (await wasUsed(root))) return;
  now("booting", null, "The assistant's memory is being restored.");
  await discard(root, "restore-");
  const staging = `${root}/restore-${randomBytes(4).toString("hex")}`;
  await folder(staging, 0o700, account);
  const response = await call("GET", "/restore", token, { seconds: 1800 });
  if (!response.ok) throw new Trouble("restore_failed", `The backup cannot be had: ${response.status}.`);
  await fs.writeFile(`${staging}/archive.enc`, Readable.fromWeb(response.body), { mode: 0o600, flag: "wx" });
  await unseal(`${staging}/archive.enc`, `${staging}/archive.tar.gz`, bundle, account);
  await openclaw(bundle, account, ["backup", "restore", `${staging}/archive.tar.gz`, "--target", `${staging}/restored`]);
  const look = ["-P", `${staging}/restored`, "-type", "f", "-path", "*/state/openclaw.sqlite", "-printf", "%h\\0"];
  const found = (await run("find", look, { seconds: 600 })).stdout.split("\0").filter(Boolean);
  // The outermost: the customer may keep a copy of one in the workspace.
  const restored = found.map((place) => path.dirname(place)).reduce((a, b) => (a && a.length <= b.length ? a : b), "");
  if (!restored || !found.every((place) => place.startsWith(`${restored}/`))) {
    throw new Trouble("bad_backup", `The backup holds ${found.length} state directories.`, { final: true });
  }
  if ((await fs.realpath(restored)) !== path.join(await fs.realpath(staging), path.relative(staging, restored))) {
    throw new Trouble("bad_backup", "The backup's state lies behind a link.", { final: true });
  }
  await removed(`${root}/state`);
  await fs.rename(restored, `${root}/state`);
  await fs.chmod(`${root}/state`, 0o700);
  await discard(root, "restore-");
}

async function openclaw({ gateway }, account, args) {
  const [node, home] = [at(gateway.node), at(`${gateway.root}/state`)];
  const env = {
    HOME: home, PATH: `${path.dirname(node)}:/usr/bin:/bin`, TMPDIR: `${home}/tmp`, OPENCLAW_HOME: home, OPENCLAW_STATE_DIR: home,
    OPENCLAW_CONFIG_PATH: at(`${gateway.root}/config/openclaw.json`), OPENCLAW_CONFIG_READONLY: "1", OPENCLAW_NO_AUTO_UPDATE: "1",
    DO_NOT_TRACK: "1", NO_COLOR: "1",
  }; // prettier-ignore
  const told = await run(node, [at(gateway.openclaw), ...args], { ids: account, env, seconds: 900, code: "backup_failed" });
  try {
    return JSON.parse(told.stdout);
  } catch {
    return {};
  }
}

// The format of tenants/backups/stream.py: the platform keeps what only the tenant's key opens.
async function seal(source, target, { slug, backup: { key } }) {
  const header = Buffer.concat([Buffer.from("CLAWBAK1"), randomBytes(16 + 7)]);
  const derived = derive(header, key, slug);
  const input = await fs.open(source, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK); // a pipe would block
  const made = await input.stat();
  if (!made.isFile() || made.nlink !== 1) {
    await input.close();
    throw new Trouble("backup_failed", "What lies in the place of the archive is not a file that OpenClaw wrote.");
  }
  const output = await fs.open(target, "wx", 0o600);
  const [plain, whole] = [createHash("sha256"), createHash("sha256")];
  const put = async (data) => (whole.update(data), await output.write(data));
  try {
    await put(header);
    for await (const { chunk, number, last } of chunks(input, CHUNK, made.size)) {
      const cipher = createCipheriv("aes-256-gcm", derived, nonce(header, number, last)).setAAD(header);
      plain.update(chunk);
      await put(Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]));
    }
    await output.sync();
  } finally {
    await Promise.all([input.close(), output.close()]);
  }
  return { sha256: whole.digest("hex"), plain: plain.digest("hex") };
}

async function unseal(source, target, { slug, backup: { key } }, account) {
  const [input, output] = [await fs.open(source, "r"), await fs.open(target, "wx", 0o600)];
  try {
    const header = (await input.read(Buffer.alloc(31), 0, 31)).buffer;
    for await (const { chunk, number, last } of chunks(input, CHUNK + 16)) {
      const cipher = createDecipheriv("aes-256-gcm", derive(header, key, slug), nonce(header, number, last)).setAAD(header);
      cipher.setAuthTag(chunk.subarray(-16));
      await output.write(Buffer.concat([cipher.update(chunk.subarray(0, -16)), cipher.final()]));
    }
    await output.chown(account.uid, account.gid);
  } catch (error) {
    throw new Trouble("bad_backup", `The backup does not open: ${error.message}`, { final: true });
  } finally {
    await Promise.all([input.close(), output.close()]);
  }
}

const derive = (header, key, slug) =>
  Buffer.from(hkdfSync("sha256", Buffer.from(key, "base64"), header.subarray(8, 24), `clawstack backup v1:${slug}`, 32));

function nonce(header, number, last) {
  const end = Buffer.alloc(5);
  end.writeUInt32BE(number);
  end[4] = last ? 1 : 0;
  return Buffer.concat([header.subarray(-7), end]);
}

// Full chunks and one last, shorter one, which may be empty; of a file that may still grow, `most` bytes.
async function* chunks(input, size, most = Infinity) {
  const next = async () => {
    const wanted = Math.min(size, most);
    const buffer = Buffer.alloc(wanted);
    let filled = 0;
    for (let got; filled < wanted && (got = (await input.read(buffer, filled, wanted - filled)).bytesRead) > 0; ) filled += got;
    most -= filled;
    return buffer.subarray(0, filled);
  };
  for (let number = 0, chunk = await next(), last = false; !last; number += 1) {
    const ahead = await next();
    last = ahead.length === 0;
    yield { chunk, number, last };
    chunk = ahead;
  }
}

// --- orders, reports ----------------------------------------------------------------------------------------------

const stopGateway = ({ gateway }) => run("systemctl", ["stop", gateway.unit], { seconds: 400, code: "stop_failed" });
const ORDERS = {
  start: async () => (await bringUp(bundle), {}),
  stop: async () => (await stopGateway(bundle), await closeVolume(bundle.volume), now("stopped", null, null), {}),
  backup: async () => await backup(bundle),
  // Stop after the last turn, back up what is final now, and leave the volume clean: the machine may be deleted.
  retire: async () => {
    bundle ??= await ask("GET", "/bundle");
    await openVolume(bundle.volume);
    await stopGateway(bundle);
    const made = await backup(bundle);
    await closeVolume(bundle.volume);
    now("stopped", null, null);
    return made;
  },
};

async function obey({ id, kind }) {
  say("order", id, kind);
  let answer;
  try {
    if (!ORDERS[kind]) throw new Trouble("unknown_order", `This agent does not know the order ${kind}.`);
    if (kind !== "retire") bundle ??= await ask("GET", "/bundle");
    answer = { ok: true, ...(await ORDERS[kind]()) };
  } catch (error) {
    answer = { ok: false, code: error.code ?? "agent_failed", reason: veiled(error.message).slice(0, 1000) };
  }
  await ask("POST", `/orders/${id}`, { json: answer });
}

async function renew() {
  bundle = await ask("GET", "/bundle");
  try {
    await bringUp(bundle);
    state.tried = bundle.version;
  } catch (error) {
    Object.assign(state, { tried: bundle.version, final: error.final === true, retryAt: Date.now() + RETRY_SECONDS * 1000 });
    now("failed", error.code ?? "agent_failed", error.message.slice(0, 1000));
  }
  await ask("POST", "/phone-home", { json: told() });
}

const told = () => {
  const { phase, code, reason, applied, tried } = state;
  return { phase, code, reason, version: applied, tried };
};

function now(phase, code, reason) {
  Object.assign(state, { phase, code, reason: reason && veiled(reason) });
  say(phase, code ?? "", state.reason ?? "");
}

async function report() {
  const facts = {};
  if (state.phase === "ready") {
    const unit = await shown(bundle.gateway.unit);
    const memory = Number(unit.MemoryCurrent);
    facts.restarts = Number(unit.NRestarts) || 0;
    facts.memory_bytes = Number.isSafeInteger(memory) ? memory : null;
    facts.started_at = Number((unit.ExecMainStartTimestamp ?? "").replace("@", "")) || null;
    if (unit.ActiveState === "active") await endIfSilent(bundle.gateway);
    if (unit.ActiveState === "failed") {
      const refuses = unit.ExecMainStatus === GATEWAY_REFUSES;
      now("failed", refuses ? "gateway_refused_config" : "gateway_down", `The gateway ended: ${await lastWords(bundle.gateway)}`);
    }
  }
  return await ask("POST", "/poll", { json: { ...told(), ...facts } });
}

// A gateway that is there and says nothing (its event loop is stuck) is ended, and systemd starts it again.
let heard = Date.now();

async function endIfSilent(gateway) {
  const answer = await fetch(`http://127.0.0.1:${gateway.port}/healthz`, { signal: AbortSignal.timeout(4000) }).catch(() => null);
  if (answer) heard = Date.now();
  if (Date.now() - heard < gateway.silence_seconds * 1000) return;
  say("silent", "gateway_silent", `no answer on /healthz for ${gateway.silence_seconds} s: killed`);
  await run("systemctl", ["kill", "--signal=KILL", gateway.unit], { accept: [0, 1] });
  heard = Date.now();
}

async function shipLogs() {
  if (!bundle) return;
  const file = logFile(bundle.gateway);
  const size = (await fs.stat(file).catch(() => ({ size: 0 }))).size;
  if (size < state.logged) state.logged = 0;
  if (size === state.logged) return;
  const handle = await fs.open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const start = Math.max(state.logged, size - LOG_CHUNK);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(LOG_CHUNK, size - start)), 0, Math.min(LOG_CHUNK, size - start), start);
    const whole = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1 || bytesRead;
    await ask("POST", "/logs", { body: veiled(buffer.subarray(0, whole).toString()), headers: { "Content-Type": "text/plain" } });
    state.logged = start + whole;
  } finally {
    await handle.close();
  }
  if (size > LOG_LIMIT) await fs.truncate(file, 0), (state.logged = 0); // systemd appends: it goes on at the start
}

const born = new Date().toISOString();

function nightlyDue() {
  const stamp = new Date().toISOString();
  // An agent that starts after tonight's hour waits for tomorrow's.
  if (state.night === null && born.slice(11, 16) >= bundle.backup.at) state.night = born.slice(0, 10);
  if (state.phase !== "ready" || stamp.slice(11, 16) < bundle.backup.at || state.night === stamp.slice(0, 10)) return false;
  state.night = stamp.slice(0, 10);
  return true;
}

function next({ version, hold, orders }) {
  if (orders.length > 0) return obey(orders[0]);
  if (hold) return state.phase === "booting" ? now("stopped", null, null) : null; // started anew after it was retired
  const wanted = version !== state.applied || state.phase === "failed";
  const again = version === state.tried; // something new is tried at once
  if (wanted && !(again && (state.final || Date.now() < state.retryAt))) return renew();
  if (wanted) return null;
  return nightlyDue() ? backup(bundle).then((made) => say("nightly backup", made.archive ?? "of nothing")) : null;
}

const state = { phase: "booting", code: null, reason: null, applied: null, tried: null, final: false, retryAt: 0, logged: 0, night: null };
let first = null; // what the exchange of the boot token brought
const token = await credentials();
let bundle = first;
let busy = null;
for (;;) {
  try {
    const free = !busy; // an answer that was on its way while an order ended still names it
    const wanted = await report();
    await shipLogs();
    if (free) {
      busy = Promise.resolve(next(wanted)).catch((error) => say("failed:", error.message)).finally(() => (busy = null));
    }
  } catch (error) {
    say("failed:", error.message, error.cause?.code ?? "");
  }
  await sleep((bundle?.poll_seconds ?? 5) * 1000);
}
