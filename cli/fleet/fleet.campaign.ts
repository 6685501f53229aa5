import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { Score } from '../../src/testing/virtualbox.ts';

// npm run campaign -- fleet [FILES=600] [KILLS=6]: Debian's redis-server and PostgreSQL, as far as they are there, each
// with three workers of which one is killed every ten seconds, and a server that is stopped and started again in the
// midst of it. Each file has to be in the report once, with the verdict of `verify`. The packages of the queue are
// looked for in the folder that SAVKIT_FLEET_PACKAGES names, else they are installed for the time of the campaign.

const [files = 600, kills = 6] = process.argv.slice(2).map(Number);
const KILL_EVERY_MS = 10_000;
const folder = mkdtempSync(join(tmpdir(), 'savkit-fleet-'));
const score = new Score();
process.env.NODE_PATH = packages();

interface Server {
  name: string;
  url: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

try {
  const expected = makeFiles();
  for (const server of [await redis(), await postgres()]) {
    if (!server) continue;
    await server.start();
    try {
      await trial(server, expected);
    } finally {
      await server.stop();
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
score.close();

function packages(): string {
  const own = process.env.SAVKIT_FLEET_PACKAGES;
  if (own !== undefined) return resolve(own);
  const place = join(folder, 'packages');
  mkdirSync(place);
  writeFileSync(join(place, 'package.json'), '{}');
  const words = ['install', '--no-audit', '--no-fund', 'bullmq@6.7.0', 'ioredis@5', 'pg@8'];
  if (spawnSync('npm', words, { cwd: place, stdio: 'inherit' }).status !== 0) process.exit(2);
  return join(place, 'node_modules');
}

/** Makes copies of a whole state, and files that are no states. @returns outcomes by path */
function makeFiles(): Map<string, string> {
  const place = join(folder, 'files');
  mkdirSync(place);
  const state = join(STATES_FOLDER, 'own-pae.sav');
  const expected = new Map<string, string>();
  for (let i = 0; i < files; i++) {
    const path = join(place, `${i}.sav`);
    const outcome = i % 10 === 3 ? 'no state' : 'whole';
    if (outcome === 'whole') copyFileSync(state, path);
    else writeFileSync(path, `no state ${i}\n`);
    expected.set(path, outcome);
  }
  return expected;
}

async function trial({ name, url, start, stop }: Server, expected: ReadonlyMap<string, string>): Promise<void> {
  const fleet = (...words: string[]) => new SavkitProcess('fleet', ...words, '--queue', url);
  const started = performance.now();
  const add = async () => expectEnd(name, 'add', await fleet('add', 'verify', '-r', join(folder, 'files')).ended);
  await add();
  // Adds files that are in the queue already.
  await add();
  const workers = [0, 1, 2].map(() => fleet('work', '--jobs', '1'));
  try {
    for (let kill = 0; kill < kills; kill++) {
      await setTimeout(KILL_EVERY_MS);
      const at = kill % workers.length;
      workers[at].child.kill('SIGKILL');
      workers[at] = fleet('work', '--jobs', '1');
      if (kill !== 1) continue;
      console.log(`  ${name}: the server is stopped`);
      await stop();
      await setTimeout(2000);
      await start();
    }
    expectEnd(name, 'work', await fleet('work', '--jobs', '2', '--until-empty').ended);
  } finally {
    for (const { child } of workers) child.kill('SIGKILL');
  }
  const report = fleet('report');
  expectEnd(name, 'report', await report.ended);
  const lines = report.events.filter(({ event }) => event === 'file');
  const names = lines.map(({ file }) => String(file));
  score.check(
    `${name}: nothing is lost`,
    new Set(names).size === expected.size,
    `${new Set(names).size} of ${expected.size}`,
  );
  score.check(`${name}: nothing twice`, names.length === new Set(names).size, `${names.length} lines`);
  const wrong = lines.filter(({ file, outcome }) => expected.get(String(file)) !== outcome);
  score.check(`${name}: each as verify has it`, wrong.length === 0, JSON.stringify(wrong.slice(0, 3)));
  console.log(`  ${name}: ${files} files, ${kills} kills, ${((performance.now() - started) / 1000).toFixed(0)} s`);
}

/** Shows the message of a command that could not do its work at all. */
function expectEnd(name: string, command: string, { exitCode, stderr }: { exitCode: number | null; stderr: string }) {
  if (exitCode === null || exitCode >= 4) console.log(`  ${name}: ${command} ended with ${exitCode}: ${stderr.trim()}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

async function untilOpen(port: number): Promise<void> {
  for (let left = 300; left > 0; left--) {
    const isOpen = await new Promise<boolean>((done) => {
      const socket = connect(port, '127.0.0.1', () => done(true)).on('error', () => done(false));
      socket.on('connect', () => socket.end());
    });
    if (isOpen) return;
    await setTimeout(100);
  }
  throw new Error(`no server on port ${port}`);
}

async function ended(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (!child || child.exitCode !== null) return;
  const exit = new Promise((done) => child.once('exit', done));
  child.kill(signal);
  await exit;
}

/** Prepares Redis, which has each write on disk before it acknowledges it. */
async function redis(): Promise<Server | undefined> {
  if (spawnSync('redis-server', ['--version']).status !== 0) return missing('redis-server');
  const [port, place] = [await freePort(), join(folder, 'redis')];
  mkdirSync(place);
  let child: ChildProcess | undefined;
  const words = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    place,
    '--appendonly',
    'yes',
    '--appendfsync',
    'always',
  ];
  return {
    name: 'redis',
    url: `redis://127.0.0.1:${port}`,
    start: async () => {
      child = spawn('redis-server', words, { stdio: 'ignore' });
      await untilOpen(port);
    },
    stop: () => ended(child, 'SIGKILL'),
  };
}

async function postgres(): Promise<Server | undefined> {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
  if (versions.length === 0) return missing('PostgreSQL');
  const programs = join('/usr/lib/postgresql', versions.sort().at(-1) ?? '', 'bin');
  const [port, place] = [await freePort(), mkdtempSync(join(tmpdir(), 'savkit-postgres-'))];
  // PostgreSQL does not run as root.
  const isRoot = process.getuid?.() === 0;
  const own: { uid?: number; gid?: number } = isRoot ? { uid: idOf('-u'), gid: idOf('-g') } : {};
  if (own.uid !== undefined) chownSync(place, own.uid, own.gid ?? own.uid);
  const options = { stdio: 'ignore' as const, cwd: place, ...own };
  spawnSync(join(programs, 'initdb'), ['-D', join(place, 'data'), '-U', 'savkit', '-A', 'trust'], options);
  let child: ChildProcess | undefined;
  return {
    name: 'postgres',
    url: `postgres://savkit@127.0.0.1:${port}/postgres`,
    start: async () => {
      const words = ['-D', join(place, 'data'), '-p', String(port), '-h', '127.0.0.1', '-k', place];
      child = spawn(join(programs, 'postgres'), words, options);
      await untilOpen(port);
      // While PostgreSQL reads its log, it accepts connections and then refuses them.
      const ask = ['-h', '127.0.0.1', '-p', String(port)];
      while (spawnSync(join(programs, 'pg_isready'), ask).status !== 0) await setTimeout(100);
    },
    // Clients are cut off at once; acknowledged writes are in the server's log.
    stop: () => ended(child, 'SIGQUIT'),
  };
}

function idOf(option: '-u' | '-g'): number {
  return Number(spawnSync('id', [option, 'postgres']).stdout.toString());
}

function missing(what: string): undefined {
  console.log(`${what} is not installed: not tried (apt install redis-server postgresql)`);
  return undefined;
}
