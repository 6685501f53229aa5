import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STATES_FOLDER, sha256 } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { runSavkit } from './testing/run-savkit.ts';
import { savkitJson } from './testing/savkit-json.ts';

const live = join(STATES_FOLDER, 'own-long-live.sav');
const plain = join(STATES_FOLDER, 'own-long.sav');
const ramSha256 = JSON.parse(readFileSync(join(STATES_FOLDER, 'own-long.json'), 'utf8')).ram.low.sha256 as string;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-cli-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A copy of a good state with one bit flipped in guest memory. */
function damagedState(): string {
  const bytes = readFileSync(plain);
  bytes[100_000] ^= 4;
  const path = join(folder, 'damaged.sav');
  writeFileSync(path, bytes);
  return path;
}

describe('savkit', () => {
  it('says what it can do', async () => {
    const { stdout, exitCode } = await runHere('--help');
    expect(exitCode).toBe(0);
    for (const command of ['inspect', 'verify', 'extract']) expect(stdout).toContain(command);
  });

  it('helps with a command', async () => {
    for (const words of [['help'], ['help', 'verify'], ['verify', 'x', '-h']]) {
      const { stdout, stderr, exitCode } = await runHere(...words);
      expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
      expect(stdout).toContain(words.length > 1 ? 'savkit verify <files..>' : 'savkit convert <input> [output]');
    }
  });

  it('takes files of any name', async () => {
    for (const name of ['-x.sav', '--json', '-', 'two\nlines.sav', '8080'])
      writeFileSync(join(folder, name), readFileSync(plain));
    const { stdout } = await runSavkit(['verify', '--', '-x.sav', '--json', './-', 'two\nlines.sav', '8080'], {
      cwd: folder,
    });
    expect(stdout.toString().replace(/: whole.*/g, '')).toBe('-x.sav\n--json\n./-\ntwo?lines.sav\n8080\n');
    expect(
      (await runSavkit(['extract', '--format', 'ELF', '--output=-x.elf', '--', '-x.sav'], { cwd: folder })).exitCode,
    ).toBe(0);
    expect(statSync(join(folder, '-x.elf')).size).toBeGreaterThan(0);
  });

  it.skipIf(process.platform === 'win32')('names directories and sockets among files, and goes on', async () => {
    const socket = createServer().listen(join(folder, 'socket'));
    await once(socket, 'listening');
    const { stdout, stderr } = await runHere('verify', folder, plain, join(folder, 'socket'), '--manifest', folder);
    const read = await runHere('verify', folder, plain, join(folder, 'socket'));
    socket.close();
    expect(stdout).toBe('');
    expect(stderr).toContain(`${folder}: it is a directory\n`);
    expect(read.stdout).toContain('whole');
    expect(read.stderr).toBe(
      `Cannot open ${folder}: it is a directory\nCannot open ${join(folder, 'socket')}: it is a socket, or a device that is not there\n`,
    );
  });

  it.skipIf(process.platform !== 'linux')('says that Node opens no names that are not UTF-8', async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/bad`), Buffer.of(0xff)]), readFileSync(plain));
    writeFileSync(join(folder, 'good\ufffd'), readFileSync(plain));
    const script = `'${process.execPath}' '${fileURLToPath(new URL('../dist/bin/savkit.js', import.meta.url))}' verify bad* good* 2>&1; echo $?`;
    const { stdout } = spawnSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8' });
    expect(stdout.split('\n')).toEqual([
      'Cannot use bad\ufffd: the name is not valid UTF-8, and Node opens no others; rename the file, or feed it to stdin, as -',
      expect.stringContaining('good\ufffd: whole'),
      '4',
      '',
    ]);
  });

  it('prints its version', async () => {
    const { stdout } = await runHere('--version');
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('has examples for each command', async () => {
    for (const command of ['inspect', 'verify', 'extract']) {
      const { stdout } = await runHere(command, '--help');
      expect(stdout).toContain(`savkit ${command} `);
    }
  });

  it('ends with 2 for words that make no sense', async () => {
    for (const args of [
      [],
      ['nonsense'],
      ['verify'],
      ['verify', plain, '--nonsense'],
      ['extract', plain],
      ['extract', plain, '-o', '-', '--format', 'zip'],
    ]) {
      const { exitCode, stderr, stdout } = await runHere(...args);
      expect(exitCode).toBe(2);
      expect(stderr).toContain('savkit');
      expect(stdout).toBe('');
    }
  });
});

describe('savkit', () => {
  it.each([
    [['extrct', plain], 'savkit: there is no command "extrct"; did you mean extract?\nTry: savkit --help\n'],
    [['--bogus'], 'savkit: there is no option --bogus without a command\nTry: savkit --help\n'],
    [[], 'savkit: which command?\nTry: savkit --help\n'],
    [['verify', '--bogus', plain], 'savkit verify: there is no option --bogus\nTry: savkit verify --help\n'],
    [
      ['--quiet', 'verify', plain, '--thread', '2'],
      'savkit verify: there is no option --thread; did you mean --threads?\nTry: savkit verify --help\n',
    ],
    [['verify', '--threads', '0', plain], 'Cannot use so many --threads: expected a whole number from 1 on\n'],
    [['extract', plain, '-o', 'a', '-o', 'b'], 'savkit extract: -o is given twice\nTry: savkit extract --help\n'],
    [['extract', plain], 'savkit extract: expected --output, too\nTry: savkit extract --help\n'],
    [['diff', plain], 'savkit diff: expected savkit diff <a> <b>\nTry: savkit diff --help\n'],
    [['diff', plain, plain, 'x'], 'savkit diff: surplus: x; expected savkit diff <a> <b>\nTry: savkit diff --help\n'],
    [
      ['diff', plain, plain, 'k7dqm-k7dqm-k7dqm-k7dqm-k7dqm-k7'],
      'savkit diff: surplus: a pairing code, which is not repeated here; expected savkit diff <a> <b>\nTry: savkit diff --help\n',
    ],
    [
      ['control', 'vm.sock', 'stat'],
      'savkit control: action "stat": expected status, stats, console, check, pause, resume, reset, stop, save, throttle\nTry: savkit control --help\n',
    ],
  ])('says what is wrong with %j', async (words, what) => {
    const { exitCode, stderr } = await runHere(...words);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: what });
  });

  it('goes by the last of switches that are given several times', async () => {
    expect((await runHere('verify', plain, '--quiet', '--no-quiet')).stdout).toContain('whole');
  });
});

describe('savkit verify', () => {
  it('ends with 0 for whole files, 1 for damaged ones, 4 for missing ones', async () => {
    expect((await runHere('verify', plain, live)).exitCode).toBe(0);
    expect((await runHere('verify', damagedState())).exitCode).toBe(1);
    expect((await runHere('verify', join(folder, 'none.sav'))).exitCode).toBe(4);
    expect((await runHere('verify', folder)).exitCode).toBe(4);
  });

  it('goes on over many files', async () => {
    const { stdout, stderr, exitCode } = await runHere('verify', plain, damagedState(), live);
    expect(stdout.match(/: whole/g)).toHaveLength(2);
    expect(stdout).toContain('VERR_SSM_INTEGRITY_REC_TERM_CRC');
    expect(stderr).toBe('');
    expect(exitCode).toBe(1);
  });

  it('reads stdin', async () => {
    const { stdout, exitCode } = await runSavkit(['verify', '-'], { stdin: readFileSync(live) });
    expect(stdout.toString()).toContain('-: whole');
    expect(exitCode).toBe(0);
  });

  it('gives each unit its verdict', async () => {
    const { files } = await savkitJson('verify', damagedState());
    const units = files[0].result.units as { name: string; verdict: string }[];
    expect(units.filter(({ verdict }) => verdict === 'damaged').map(({ name }) => name)).toEqual(['pgm']);
    expect(files[0].result.verdict).toBe('damaged');
  });

  it('prints nothing for good files with --quiet', async () => {
    expect((await runHere('verify', '--quiet', plain)).stdout).toBe('');
  });

  it('keeps control characters of hostile names from the terminal', async () => {
    const bytes = readFileSync(plain);
    const at = bytes.indexOf('HWACCM');
    bytes[at] = 0x1b;
    const path = join(folder, 'hostile.sav');
    writeFileSync(path, bytes);
    expect((await runHere('verify', '--units', path)).stdout).not.toContain('\u001b');
    const { exitCode, stderr } = await runHere('extract', path, '--unit', 'none', '-o', '-');
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.not.stringContaining('\u001b') });
    const missing = `\u001b[2J\u009b\u202e${path}`;
    expect((await runHere('verify', missing)).stderr).toBe(`Cannot open ?[2J??${path}: no such file or directory\n`);
    expect((await runHere('verify', '--json', missing)).stdout).toContain(`"file": "\\u001b[2J\\u009b\\u202e${path}"`);
  });

  it('ends with 5 for formats that it only knows by name', async () => {
    const path = join(folder, 'v1.0.sav');
    writeFileSync(path, Buffer.from('\x7fVirtualBox SavedState V1.0\n'.padEnd(64, '\0'), 'latin1'));
    const { exitCode, stdout } = await runHere('verify', path);
    expect(exitCode).toBe(5);
    expect(stdout).toContain('V1.0');
  });
});

describe('savkit inspect', () => {
  it('fills its JSON schema', async () => {
    for (const file of [plain, live]) {
      const { files } = await savkitJson('inspect', file);
      expect(files[0].result).toHaveProperty('memory.ramSize', 4 * 1024 * 1024);
    }
  });

  it('shows what can be seen of a damaged file, and says so', async () => {
    const { stdout, exitCode } = await runHere('inspect', damagedState());
    expect(exitCode).toBe(1);
    expect(stdout).toContain('Damage');
    expect(stdout).toContain('ConsoleData');
  });

  it('uses no colour where NO_COLOR or a pipe asks for none', async () => {
    expect((await runHere('inspect', plain)).stdout).not.toContain('\u001b');
  });
});

describe('tables', () => {
  it.each([
    [['inspect', live]],
    [['verify', '--units', live]],
    [['pagetable', plain]],
    [['pagetable', plain, '--runs']],
    [['walk', plain, '0xffffffff80000000']],
    [['diff', plain, join(STATES_FOLDER, 'own-pae.sav'), '--pages']],
  ])('are of at most 80 columns: %j', async (words) => {
    const { stdout } = await runHere(...words);
    const rows = stdout.split('\n').filter((row) => row.startsWith('  ') && !row.startsWith('  note: '));
    expect(rows.length).toBeGreaterThan(2);
    for (const row of rows) expect(row.length, row).toBeLessThanOrEqual(80);
  });
});

describe('savkit extract', () => {
  it('writes memory to a file that only its owner can read', async () => {
    const output = join(folder, 'memory.raw');
    const { files } = await savkitJson('extract', plain, '-o', output);
    expect(files[0].result.size).toBe(4 * 1024 * 1024);
    expect(sha256(readFileSync(output))).toBe(ramSha256);
    expect(statSync(output).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['extract', plain, '-o', '-'],
    ['convert', plain, '-'],
    ['salvage', plain, '-'],
    ['poke', plain, '--at', '0', '--hex', '00', '-o', '-'],
    ['manifest', plain, '-o', '-'],
  ])('writes the JSON of %s to stderr where stdout takes its bytes', async (command, ...words) => {
    const { stdout, stderr, exitCode } = await runHere(command, ...words, '--json');
    expect([exitCode, JSON.parse(stderr)]).toMatchObject([0, { command, exitCode: 0 }]);
    expect(stdout.length).toBeGreaterThan(1000);
  });

  it('writes memory to stdout, from stdin', async () => {
    const { stdout, stderr } = await runSavkit(['extract', '-', '-o', '-'], { stdin: readFileSync(plain) });
    expect(stderr).toBe('');
    expect(sha256(stdout)).toBe(ramSha256);
  });

  it('leaves holes for zeros with --format sparse', async () => {
    const output = join(folder, 'memory.raw');
    await runHere('extract', plain, '-o', output, '--format', 'sparse');
    expect(sha256(readFileSync(output))).toBe(ramSha256);
    expect(statSync(output).blocks * 512).toBeLessThan(2 * 1024 * 1024);
  });

  it('never writes over a file without --force', async () => {
    const output = join(folder, 'memory.raw');
    writeFileSync(output, 'precious');
    expect((await runHere('extract', plain, '-o', output)).exitCode).toBe(4);
    expect(readFileSync(output, 'utf8')).toBe('precious');
    expect((await runHere('extract', plain, '-o', output, '--force')).exitCode).toBe(0);
    expect(sha256(readFileSync(output))).toBe(ramSha256);
  });

  it('leaves nothing behind when the state is damaged', async () => {
    const source = damagedState();
    const { exitCode, stderr } = await runHere('extract', source, '-o', join(folder, 'memory.raw'));
    expect(exitCode).toBe(1);
    expect(stderr).toContain('VERR_SSM_INTEGRITY_REC_TERM_CRC');
    expect(readdirSync(folder)).toEqual(['damaged.sav']);
  });

  it('leaves nothing behind when the output cannot be written', async () => {
    mkdirSync(join(folder, 'target'));
    expect((await runHere('extract', plain, '-o', join(folder, 'none', 'memory.raw'))).exitCode).toBe(4);
    for (const force of [[], ['--force']]) {
      const { exitCode, stderr } = await runHere('extract', plain, '-o', join(folder, 'target'), ...force);
      expect({ exitCode, stderr }).toEqual({ exitCode: 4, stderr: expect.stringContaining('it is a folder') });
    }
    expect(readdirSync(folder)).toEqual(['target']);
  });

  it('refuses parts that do not go together', async () => {
    const output = join(folder, 'x');
    for (const args of [
      ['--rom', 'DMI tables', '--mmio2', 'VMMDev'],
      ['--rom', 'DMI tables', '--format', 'elf'],
      ['--shadow'],
      ['--range', 'nonsense'],
      ['--range', '0x2000-0x1000'],
      ['--rom', 'nothing of that name'],
    ]) {
      expect((await runHere('extract', plain, '-o', output, ...args)).exitCode).toBe(2);
    }
    expect(readdirSync(folder)).toEqual([]);
  });
});
