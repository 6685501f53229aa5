import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { expectSchema } from './testing/savkit-json.ts';

const main = fileURLToPath(new URL('../dist/bin/savkit.js', import.meta.url));
const original = join(STATES_FOLDER, 'own-long.sav');
const isLinux = process.platform === 'linux';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

let folder: string;
let state: string;
/** For temporary files of the commands. */
let temporary: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-output-'));
  temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  state = join(folder, 'machine.sav');
  copyFileSync(original, state);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command line through a shell, for redirections. @returns the exit code and the output */
async function shell(line: string): Promise<{ exitCode: number | null; stdout: Buffer; stderr: string }> {
  const child = spawn('bash', ['-c', line], {
    cwd: folder,
    env: { ...process.env, SAVKIT: `${process.execPath} ${main}`, TMPDIR: temporary },
  });
  return output(child);
}

async function output(child: ChildProcess): Promise<{ exitCode: number | null; stdout: Buffer; stderr: string }> {
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout?.on('data', (piece) => stdout.push(piece));
  child.stderr?.on('data', (piece) => {
    stderr += piece;
  });
  const exitCode = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { exitCode, stdout: Buffer.concat(stdout), stderr };
}

/** Runs a command in this process, which is in the folder meanwhile. */
async function runInFolder(...args: string[]): ReturnType<typeof runHere> {
  const before = process.cwd();
  process.chdir(folder);
  try {
    return await runHere(...args);
  } finally {
    process.chdir(before);
  }
}

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [main, ...args], { cwd: folder, env: { ...process.env, TMPDIR: temporary } });
}

/** The target of a link; empty where the link is gone meanwhile. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

let hash: string | undefined;
async function memoryHash(): Promise<string> {
  hash ??= sha256(Buffer.from((await runHere('extract', original, '-o', '-')).stdout, 'latin1'));
  return hash;
}

describe('an output that is the input', () => {
  it('is refused under every name and whatever --force says; the input stays', async () => {
    symlinkSync('machine.sav', join(folder, 'link.sav'));
    linkSync(state, join(folder, 'hard.sav'));
    symlinkSync('link.sav', join(folder, 'link-to-link.sav'));
    const names = ['machine.sav', 'link.sav', 'hard.sav', 'link-to-link.sav', 'tmp/../machine.sav'];
    const commands = (name: string) => [
      ['extract', 'machine.sav', '-o', name],
      ['manifest', 'hard.sav', '-o', name],
      ['salvage', 'link.sav', name],
      ['convert', 'machine.sav', name, '--no-proof'],
      ['poke', 'machine.sav', '--at', '0', '--hex', '00', '--no-proof', '-o', name],
    ];
    const runs = names.map((name, i) => commands(name)[i]);
    for (const args of runs) {
      const { exitCode, stderr } = await runInFolder(...args, '--force');
      expect([exitCode, stderr], args.join(' ')).toEqual([2, expect.stringMatching(/^Cannot write .*input/)]);
    }
    expect(readFileSync(state)).toEqual(readFileSync(original));
    expect(readdirSync(folder).sort()).toEqual(['hard.sav', 'link-to-link.sav', 'link.sav', 'machine.sav', 'tmp']);
  });

  it('is refused as stdin and stdout, too', async () => {
    for (const line of [
      'extract - -o machine.sav -f <machine.sav',
      'salvage /dev/stdin machine.sav -f <machine.sav',
      'extract machine.sav -o - >>machine.sav',
    ])
      expect((await shell(`$SAVKIT ${line}`)).exitCode, line).toBe(2);
    expect(readFileSync(state)).toEqual(readFileSync(original));
  });

  it('is refused for every other file that is read', async () => {
    const payload = join(folder, 'payload');
    writeFileSync(payload, 'bytes');
    const layout = '{ "roms": [], "mmio2": [] }';
    writeFileSync(join(folder, 'layout.json'), layout);
    for (const args of [
      ['poke', original, '--at', '0', '--file', payload, '-o', payload],
      ['convert', original, 'layout.json', '--layout', 'layout.json'],
    ])
      expect((await runInFolder(...args, '--force')).exitCode, args.join(' ')).toBe(2);
    expect(readFileSync(payload, 'utf8')).toBe('bytes');
    expect(readFileSync(join(folder, 'layout.json'), 'utf8')).toBe(layout);
  });

  it('is taken by convert and poke once the new state is proved', async () => {
    expect((await runHere('convert', state, state)).stderr).toContain('--force replaces it');
    expect((await runHere('convert', state, state, '--force', '--container', '1.2')).exitCode).toBe(0);
    expect((await runHere('diff', original, state)).exitCode).toBe(0);
    expect((await runHere('poke', state, '--at', '0x1000', '--hex', 'dead', '-o', state, '--force')).exitCode).toBe(0);
    expect((await runHere('peek', state, '--at', '0x1000', '--len', '2', '--raw')).stdout).toBe('\xde\xad');
  });
});

describe('an output that is a link', () => {
  it('stays a link: the file that it leads to is replaced', async () => {
    const [link, target] = [join(folder, 'link'), join(folder, 'tmp', 'target')];
    writeFileSync(target, 'old');
    symlinkSync(join('tmp', 'target'), link);
    const refused = await runHere('extract', state, '-o', link);
    expect([refused.exitCode, refused.stderr]).toEqual([4, expect.stringContaining('--force replaces it')]);
    expect((await runHere('extract', state, '-o', link, '--force')).exitCode).toBe(0);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(sha256(readFileSync(target))).toBe(await memoryHash());
  });

  it('to nowhere is refused before any work', async () => {
    const link = join(folder, 'link');
    symlinkSync('nowhere', link);
    for (const force of [[], ['--force']]) {
      const { exitCode, stderr } = await runHere('extract', state, '-o', link, ...force);
      expect([exitCode, stderr]).toEqual([4, expect.stringContaining('a link to nowhere')]);
    }
  });
});

describe.runIf(isLinux)('an output that is no file', () => {
  it.each([
    ['a pipe with a name', 'mkfifo pipe; $SAVKIT extract machine.sav -o pipe >told & cat pipe; wait $!'],
    [
      'a command',
      '$SAVKIT extract machine.sav -q -o >(cat >memory; touch done); until [ -e done ]; do sleep 0.01; done; cat memory',
    ],
    ['/dev/stdout', '$SAVKIT extract machine.sav -o /dev/stdout | cat'],
    ['/dev/stdout as a file', '$SAVKIT extract machine.sav -o /dev/stdout >memory; cat memory'],
    ['an open file', '$SAVKIT extract machine.sav -q -o /dev/fd/5 5>memory; cat memory'],
    ['a link to stdout', 'ln -s /dev/stdout out; $SAVKIT extract machine.sav -q -o out | cat'],
  ])('gets the bytes: %s', async (_, line) => {
    expect(sha256((await shell(line)).stdout)).toBe(await memoryHash());
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('is told of in JSON as a file is', async () => {
    const { stdout } = await shell('$SAVKIT extract machine.sav --json -o /dev/fd/5 5>memory');
    const document = JSON.parse(stdout.toString());
    expectSchema(document);
    expect(document.files[0].result).toMatchObject({ sha256: await memoryHash(), allocated: null });
  });

  it('takes what other commands write', async () => {
    for (const command of ['convert machine.sav', 'salvage machine.sav', 'poke machine.sav --at 0 --hex 00 -o']) {
      await shell(`$SAVKIT ${command} - | cat >new.sav`);
      const { exitCode, both } = await runHere('diff', state, join(folder, 'new.sav'), '-q');
      expect([exitCode, both], command).toEqual([0, '']);
    }
    for (const words of [
      ['manifest', state, '-o'],
      ['convert', state],
    ])
      expect((await runHere(...words, '/dev/null')).exitCode, words[0]).toBe(0);
  });

  it('is read from, as often as needed, where the input is none either', async () => {
    for (const line of [
      '$SAVKIT extract <(cat machine.sav) -o -',
      'cat machine.sav | $SAVKIT extract - -o -',
      'cat machine.sav | $SAVKIT extract /dev/stdin -o -',
    ])
      expect(sha256((await shell(line)).stdout), line).toBe(await memoryHash());
  });

  it('says in one line that it takes no more, be it full, closed, or without a reader', async () => {
    const full = [
      await shell('$SAVKIT extract machine.sav -o - >/dev/full'),
      await runHere('extract', state, '-o', '/dev/full'),
    ];
    expect(full.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual([
      [4, 'Cannot write stdout: no space left on device\n'],
      [4, 'Cannot write /dev/full: no space left on device\n'],
    ]);
    // Memory that has changed keeps the process until its commands are done.
    for (const words of ['-c info', "-c 'poke %0 1' -c info"])
      expect(await shell(`$SAVKIT console machine.sav ${words} >/dev/full`), words).toMatchObject({
        exitCode: 4,
        stderr: 'Cannot write stdout: no space left on device\n',
      });
    const closed = await shell('$SAVKIT extract machine.sav -o - | head -c 10; echo $PIPESTATUS');
    expect([closed.stdout.subarray(10).toString(), closed.stderr]).toEqual([
      '4\n',
      'Cannot write stdout: broken pipe\n',
    ]);
    // The verdict on a state may be in the part that nobody has read.
    const judged = await shell('(sleep 1; $SAVKIT verify machine.sav) | true; echo $PIPESTATUS');
    expect([judged.stdout.toString(), judged.stderr]).toEqual(['4\n', 'Cannot write stdout: broken pipe\n']);
    for (const words of [
      'extract machine.sav -o -',
      'extract machine.sav -o /dev/stdout',
      'peek machine.sav --at 0 --raw',
    ]) {
      const none = await shell(`$SAVKIT ${words} >&-`);
      expect([none.exitCode, none.stderr]).toEqual([
        4,
        expect.stringMatching(/^Cannot write stdout: it is closed, .*\n$/),
      ]);
    }
    expect((await shell('$SAVKIT extract machine.sav -o - >/dev/null')).exitCode).toBe(0);
    const broken = await shell('$SAVKIT extract machine.sav -o >(head -c 10)');
    expect([broken.exitCode, broken.stderr]).toEqual([4, expect.stringMatching(/^Cannot write .*: broken pipe\n$/)]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  // Python's DEVNULL and Node's `ignore` open /dev/null for reading, too, as `<>` does here.
  it('gets texts as stdout where it throws all away, however it was opened', async () => {
    const { exitCode, stderr } = await shell('$SAVKIT verify machine.sav 1<>/dev/null');
    expect([exitCode, stderr]).toEqual([0, '']);
  });

  // Other signals end a wait as this one does; a test below shows that all of them end a process.
  it('is not waited for after SIGINT', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe'), join(folder, 'pipe2')]);
    const stalled = start('extract', 'machine.sav', '-o', '-');
    stalled.stdout?.once('data', () => stalled.stdout?.pause());
    const commands = [
      start('extract', 'pipe', '-o', 'memory'),
      start('extract', 'machine.sav', '-o', 'pipe2'),
      stalled,
      start('verify', '-'),
      start('explain', 'pipe'),
      start('check', 'machine.sav', '--machine', 'pipe'),
      start('console', 'machine.sav'),
    ];
    const exitCodes = commands.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    await until(() => stalled.stdout?.isPaused() === true);
    // A command that is still loading has no handler: the signal itself ends it.
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const child of commands) child.kill('SIGINT');
    for (const exitCode of exitCodes) expect([130, null]).toContain(await exitCode);
    for (const child of commands) child.stdout?.destroy();
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe('temporary files', () => {
  /** Starts a command that opens its output, and then waits. */
  async function relay(recording = 'recording'): Promise<ChildProcess> {
    const child = start('relay', '--listen', '127.0.0.1:0', '--to', '127.0.0.1:1', '--record', recording);
    await until(() => parts().length > 0);
    return child;
  }
  const parts = () => readdirSync(folder).filter((name) => name.endsWith('.part'));

  it.each(SIGNALS)('go with the process that %s ends', async (signal) => {
    const child = await relay();
    child.kill(signal);
    expect((await output(child)).exitCode).toBe(130);
    expect(parts()).toEqual([]);
  });

  it('of a killed process go with the next one, whatever that writes', async () => {
    const child = await relay();
    child.kill('SIGKILL');
    await output(child);
    const [left] = parts();
    const next = await relay('another');
    await until(() => !parts().includes(left));
    next.kill();
    await output(next);
    expect(parts()).toEqual([]);
  });

  it.each(['throw new Error("x")', 'Promise.reject(new Error("x"))', 'process.exit(3)', 'process.exitCode = 3'])(
    'go with a process at whose end is: %s',
    async (end) => {
      const sink = fileURLToPath(new URL('../dist/formats/files/sink.js', import.meta.url));
      const script = `import { openFileSink } from ${JSON.stringify(sink)};
      const sink = await openFileSink('out');
      await sink.write(Buffer.from('memory'));
      ${end};`;
      const run = await output(spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: folder }));
      expect([run.exitCode === 0, parts()]).toEqual([false, []]);
    },
  );

  it.runIf(isLinux)('for stdin have no name', async () => {
    const child = start('extract', '-', '-o', 'memory');
    const bytes = readFileSync(original);
    child.stdin?.write(bytes.subarray(0, 200_000));
    const copies = () =>
      readdirSync(`/proc/${child.pid}/fd`)
        .map((fd) => targetOf(`/proc/${child.pid}/fd/${fd}`))
        .filter((path) => path.startsWith(temporary));
    // The file has a name for a moment, until it is unlinked.
    await until(() => copies().some((path) => path.endsWith('(deleted)')));
    expect(copies()).toEqual([expect.stringContaining('(deleted)')]);
    expect(readdirSync(temporary)).toEqual([]);
    child.kill('SIGKILL');
    await output(child);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it.runIf(isLinux)('are told with their folder where they do not fit', async () => {
    const { exitCode, stderr } = await shell("trap '' XFSZ; ulimit -f 100; $SAVKIT find machine.sav --text abc");
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining(`a temporary file in ${temporary}`)]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('are not made for memory that goes to stdout', async () => {
    vi.stubEnv('TMPDIR', '/nowhere');
    const { exitCode, stdout } = await runHere('extract', state, '-o', '-');
    expect([exitCode, sha256(Buffer.from(stdout, 'latin1'))]).toEqual([0, await memoryHash()]);
  });
});
