import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openFile } from '../../../formats/files/source.ts';
import { checkQemu, type QemuCheckReport } from './check-qemu.ts';
import { parseCommand } from './command-words.ts';
import { settingsOfCommand } from './settings-of-command.ts';
import { drawMachine, mutate, Random, wordsOfMachine } from './testing/random-machines.ts';

// npm run campaign -- qemu-check [--seed N] [--minutes N]: real QEMUs save machines of random devices, and load the
// states into machines that differ; their answers have to be those that savkit foretells.

const SCRIPTS = resolve(process.env.SAVKIT_QEMU ?? '../shared/qemu');
const LIMIT_MS = 60_000;

interface Qemu {
  /** As the scripts name it. */
  name: string;
  release: number[];
  /** The program and its first arguments. */
  words: string[];
}

function findQemu(name: string): Qemu {
  const shell = `. ${join(SCRIPTS, 'common.sh')}; echo "$(q_bin ${name}) $(q_args ${name})"; q_version ${name}`;
  const [words, version] = execFileSync('bash', ['-c', shell], { encoding: 'utf8' }).trim().split('\n');
  return { name, release: version.split('.').map(Number), words: words.trim().split(/\s+/) };
}

/** A QEMU that does not let its guest run, with a connection to its machine protocol. */
class Running {
  readonly #process: ChildProcess;
  readonly #waiting: ((answer: Record<string, unknown>) => void)[] = [];
  readonly #ended: Promise<void>;
  errors = '';
  hasEnded = false;

  constructor({ words: [program, ...first] }: Qemu, words: readonly string[]) {
    this.#process = spawn(program, [...first, '-S', '-display', 'none', '-accel', 'tcg', ...words, '-qmp', 'stdio']);
    this.#ended = new Promise((done) => this.#process.once('close', () => done()));
    void this.#ended.then(() => {
      this.hasEnded = true;
      for (const answer of this.#waiting.splice(0)) answer({});
    });
    this.#process.stderr?.on('data', (text) => (this.errors += text));
    this.#process.stdin?.on('error', () => {});
    let rest = '';
    this.#process.stdout?.on('data', (text) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const answer = JSON.parse(line) as Record<string, unknown>;
        if ('return' in answer || 'error' in answer) this.#waiting.shift()?.(answer);
      }
    });
    void this.ask('qmp_capabilities');
  }

  ask(execute: string, words: object = {}): Promise<Record<string, unknown>> {
    if (this.hasEnded) return Promise.resolve({});
    return new Promise((done) => {
      this.#waiting.push(done);
      this.#process.stdin?.write(`${JSON.stringify({ execute, arguments: words })}\n`);
    });
  }

  /** Asks until an answer will do, or QEMU ends. */
  async until(execute: string, isDone: (answer: { status?: string }) => boolean): Promise<string | undefined> {
    const end = Date.now() + LIMIT_MS;
    while (!this.hasEnded && Date.now() < end) {
      const answer = ((await this.ask(execute)).return ?? {}) as { status?: string };
      if (isDone(answer)) return answer.status;
      await new Promise((done) => setTimeout(done, 20));
    }
    return undefined;
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}

/** @returns QEMU's message where it does not start, or does not save */
async function save(qemu: Qemu, words: readonly string[], path: string): Promise<string | undefined> {
  const running = new Running(qemu, words);
  await running.ask('migrate', { uri: `exec:cat > ${path}` });
  const status = await running.until(
    'query-migrate',
    ({ status: found }) => found === 'completed' || found === 'failed',
  );
  await running.stop();
  return status === 'completed' ? undefined : running.errors;
}

/** @returns QEMU's message where it does not load; undefined where it does */
async function load(qemu: Qemu, words: readonly string[], path: string): Promise<string | undefined> {
  const running = new Running(qemu, [...words, '-incoming', `exec:cat ${path}`]);
  const status = await running.until(
    'query-status',
    ({ status: found }) => found !== undefined && found !== 'inmigrate',
  );
  await running.stop();
  return status === undefined ? running.errors : undefined;
}

/** Fault of a forecast; undefined where it is right. */
function judge({ loads, notJudged, forecast }: QemuCheckReport, said: string | undefined): string | undefined {
  if (said === undefined) return loads ? undefined : `loads, and was foretold: ${forecast?.qemuSays}`;
  const words = said.replace(/^qemu-system-x86_64: (warning: .*\n)?/gm, '').trim();
  if (loads) return notJudged.length > 0 ? undefined : `was to load, and QEMU says: ${words}`;
  if (forecast?.qemuSays !== undefined && plain(words).includes(plain(forecast.qemuSays))) return undefined;
  return `QEMU says: ${words}\n    foretold: ${forecast?.qemuSays}`;
}

/** Versions of QEMU write numbers with or without 0x. */
function plain(text: string): string {
  return text.replace(/0x/g, '').toLowerCase();
}

function option(name: string, byDefault: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? byDefault : Number(process.argv[at + 1]);
}

async function main(): Promise<number> {
  if (!existsSync(join(SCRIPTS, 'common.sh'))) {
    console.log(`not tried: no scripts for real QEMUs in ${SCRIPTS}`);
    return 2;
  }
  const qemus = ['7', '10'].map(findQemu);
  const folder = mkdtempSync(join(tmpdir(), 'savkit-qemu-check-'));
  const end = Date.now() + option('minutes', 10) * 60_000;
  const counts = { right: 0, open: 0, wrong: 0, loaded: 0, refused: 0 };
  try {
    for (let seed = option('seed', 1); Date.now() < end; seed++) {
      const random = new Random(seed);
      const machine = drawMachine(random);
      const [writer, reader] = [random.pick(qemus), random.pick(qemus)];
      const path = join(folder, 'state');
      const failure = await save(writer, wordsOfMachine(machine), path);
      if (failure !== undefined) {
        console.log(`seed ${seed}: no such machine: ${wordsOfMachine(machine).join(' ')}\n    ${failure.trim()}`);
        continue;
      }
      for (const other of [machine, mutate(random, machine), mutate(random, mutate(random, machine))]) {
        const words = wordsOfMachine(other);
        const said = await load(reader, words, path);
        // Other messages are about the command line.
        if (said !== undefined && !said.includes('load of migration failed')) continue;
        const source = await openFile(path);
        const settings = settingsOfCommand(parseCommand(words), 'the target');
        const report = await checkQemu(source, { settings, release: reader.release }).finally(() => source.close());
        const wrong = judge(report, said);
        if (said === undefined) counts.loaded++;
        else counts.refused++;
        if (wrong !== undefined) counts.wrong++;
        else if (report.loads && said !== undefined) counts.open++;
        else counts.right++;
        if (wrong === undefined && !(report.loads && said !== undefined)) continue;
        const verdict =
          wrong === undefined ? `left open (${report.notJudged.join('; ')}): ${said?.trim()}` : `WRONG ${wrong}`;
        console.log(`seed ${seed}, ${writer.name} to ${reader.name}: ${verdict}`);
        console.log(`    from ${wordsOfMachine(machine).join(' ')}\n    to   ${words.join(' ')}`);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(JSON.stringify(counts));
  return counts.wrong > 0 ? 1 : 0;
}

process.exitCode = await main();
