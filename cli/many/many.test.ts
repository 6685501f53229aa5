import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { holdAlone } from '../io/held-alone.ts';
import { runHere } from '../testing/run-here.ts';
import { MAIN, runSavkit } from '../testing/run-savkit.ts';
import { expectSchema } from '../testing/savkit-json.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-many-'));
const states = join(folder, 'states');
const at = (...names: string[]) => join(states, ...names);
const original = join(STATES_FOLDER, 'own-long.sav');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Six files: three whole, one damaged, one that is no state, one packed. */
beforeAll(() => {
  mkdirSync(at('deep', 'er'), { recursive: true });
  const bytes = readFileSync(original);
  for (const path of [at('a.sav'), at('deep', 'b.sav'), at('deep', 'er', 'c.sav')]) copyFileSync(original, path);
  writeFileSync(at('deep', 'cut.sav'), bytes.subarray(0, 100_000));
  writeFileSync(at('notes.txt'), 'hello\n');
  writeFileSync(at('packed.sav.gz'), gzipSync(bytes));
  symlinkSync(states, at('deep', 'round'));
});

interface Line {
  event: string;
  file: string;
  outcome: string;
  exitCode: number;
  summary: { files: number; outcomes: Record<string, number>; resumed: number };
}

function linesOf(text: string): Line[] {
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  for (const line of lines) if (line.event) expectSchema(line);
  return lines;
}

const ALL = { whole: 4, damaged: 1, 'no state': 1 };

/** Commands with an option that names a further file, which is of the wrong kind. */
const OTHERS: readonly (readonly [string, ...string[]])[] = [
  ['verify', '--manifest', 'notes.txt'],
  ['check', '--against', 'notes.txt'],
  ['check', '--machine', 'notes.txt'],
  ['check', '--host-cpuid', 'notes.txt'],
  ['diff', '--base', 'notes.txt'],
  ['diff', '--base', 'deep/cut.sav'],
  ['salvage', '--like', 'notes.txt'],
  ['salvage', '--layout', 'notes.txt'],
  ['convert', '--like', 'notes.txt'],
];

describe('many files', () => {
  it.each(OTHERS)(
    'are neither judged nor passed over where the file of an option is bad: %s %s %s',
    async (command, ...words) => {
      const [option, name] = words;
      const into = ['salvage', 'convert'].includes(command) ? ['--into', join(folder, 'beside')] : [];
      const { stdout, exitCode } = await runHere(
        command,
        '-r',
        at('deep', 'er'),
        option,
        at(name),
        '--ndjson',
        ...into,
      );
      const [line, end] = linesOf(stdout);
      expect([line.outcome, end.summary.outcomes]).toEqual(['not possible', { 'not possible': 1 }]);
      expect([1, 2, 5]).toContain(exitCode);
    },
  );

  it('in folders are all taken once, and files that are no states are only counted', async () => {
    const { stdout, stderr, exitCode } = await runHere('verify', '-r', states);
    expect([exitCode, stdout.match(/: whole/g)?.length, stdout.includes('notes.txt')]).toEqual([1, 4, false]);
    expect(stderr).toBe('6 files: 4 whole, 1 damaged, 1 no state\n');
    rmSync(at('deep', 'cut.sav'));
    expect((await runHere('verify', '-r', states)).exitCode).toBe(0);
    writeFileSync(at('deep', 'cut.sav'), readFileSync(original).subarray(0, 100_000));
    expect((await runHere('verify', at('notes.txt'))).exitCode).toBe(5);
  });

  it.each([1, 3])('give an event each as they are done, and their sum at the end: %d side by side', async (jobs) => {
    const { stdout, exitCode } = await runSavkit(['verify', '-r', states, '--ndjson', '--jobs', String(jobs)]);
    const lines = linesOf(stdout.toString());
    expect(lines.filter(({ event }) => event === 'file')).toHaveLength(6);
    expect(lines.at(-1)).toMatchObject({ event: 'end', exitCode: 1, summary: { files: 6, outcomes: ALL, resumed: 0 } });
    expect(exitCode).toBe(1);
  });

  it('give the same results and texts side by side as one after the other', async () => {
    const [one, three] = await Promise.all(
      ['1', '3'].map((jobs) =>
        runSavkit(['verify', at('a.sav'), at('notes.txt'), at('packed.sav.gz'), '--jobs', jobs]),
      ),
    );
    const sorted = (text: string) => text.split('\n').sort();
    expect(sorted(three.stdout.toString())).toEqual(sorted(one.stdout.toString()));
    expect(three.stderr).toBe('3 files: 2 whole, 1 no state\n');
    expect(one.stderr).toBe('');
    expect([one.exitCode, three.exitCode]).toEqual([5, 5]);
  });

  it('stand in one document, whose parts are written as they come', async () => {
    const { stdout } = await runHere('verify', '-r', states, '--json');
    const document = JSON.parse(stdout);
    expectSchema(document);
    expect([document.files.length, document.summary.outcomes]).toEqual([6, ALL]);
  });

  it.each([
    ['lines', '\n', []],
    ['lines of Windows', '\r\n', []],
    ['zero bytes', '\0', ['-0']],
  ])('are named by a list with %s, also on stdin', async (_, end, options) => {
    const list = `${at('a.sav')}${end}${end}${at('deep', 'b.sav')}`;
    const file = join(folder, 'list');
    writeFileSync(file, list);
    const fromFile = await runHere('verify', '--files-from', file, ...options);
    expect(fromFile.stderr).toBe('2 files: 2 whole\n');
    const fromStdin = await runSavkit(['verify', '--files-from', '-', ...options], { stdin: Buffer.from(list) });
    expect(fromStdin.stderr).toBe('2 files: 2 whole\n');
  });

  it.skipIf(process.platform === 'win32')(
    'are named by a list in a pipe that nobody writes to, and a signal ends the wait',
    async () => {
      const pipe = join(folder, 'pipe');
      spawnSync('mkfifo', [pipe]);
      const child = spawn(process.execPath, [MAIN, 'verify', original, '--files-from', pipe, '--ndjson']);
      // The result of the file on the command line is there, so the list is read next.
      await new Promise((resolve) => child.stdout.once('data', resolve));
      child.kill('SIGTERM');
      expect(await new Promise((resolve) => child.on('close', resolve))).toBe(130);
      const listed = runSavkit(['verify', '--files-from', pipe]);
      writeFileSync(pipe, `${original}\n`);
      expect(String((await listed).stdout)).toContain(': whole');
    },
  );

  it('are worked on while the list still comes', async () => {
    const child = spawn(process.execPath, [MAIN, 'verify', '--files-from', '-', '--ndjson']);
    child.stdin.write(`${original}\n`);
    const first = await new Promise<Buffer>((resolve) => child.stdout.once('data', resolve));
    expect(linesOf(first.toString())[0]).toMatchObject({ event: 'file', outcome: 'whole' });
    child.stdin.end();
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
  });

  it('that cannot be opened stop none of the others', async () => {
    const { stdout, stderr, exitCode } = await runHere('verify', at('none.sav'), at('a.sav'), states);
    expect([exitCode, stdout.match(/: whole/g)?.length]).toEqual([4, 1]);
    expect(stderr).toContain('it is a directory');
  });

  it.skipIf(process.platform === 'win32')(
    'of a list have to be regular files, since pipes and devices may never end',
    async () => {
      const pipe = join(folder, 'pipe');
      spawnSync('mkfifo', [pipe]);
      const list = join(folder, 'list');
      writeFileSync(list, [pipe, '/dev/zero', '-', at('a.sav'), ''].join('\n'));
      const runs = ['1', '2'].map((jobs) => runSavkit(['verify', '--files-from', list, '--jobs', jobs]));
      for (const { stdout, stderr, exitCode } of await Promise.all(runs)) {
        expect([exitCode, stdout.toString().match(/: whole/g)?.length]).toEqual([4, 1]);
        for (const what of ['pipe: it is a pipe', '/dev/zero: it is a device', '-: it is stdin'])
          expect(stderr).toContain(what);
      }
      writeFileSync(list, at('a.sav'));
      const beside = await runHere('check', '--files-from', list, '--against', pipe);
      expect(beside.stderr).toContain('pipe: it is a pipe');
    },
  );
});

describe('outputs of many files', () => {
  it('lie in one folder, under the paths of their inputs', async () => {
    const into = join(folder, 'manifests');
    const { exitCode, stderr } = await runHere('manifest', '-r', states, '--into', into);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('6 files: 4 done, 1 damaged, 1 no state')]);
    const made = readdirSync(into, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.manifest'));
    expect(made.map((name) => name.split('/').at(-1)).sort()).toEqual([
      'a.sav.manifest',
      'b.sav.manifest',
      'c.sav.manifest',
      'packed.sav.gz.manifest',
    ]);
    expect((await runHere('manifest', '-r', states, '--into', into)).exitCode).toBe(4);
  });

  it.each([
    ['extract', []],
    ['convert', ['--container', '1.2']],
    ['salvage', []],
  ])('are written by %s, too, and never taken for inputs', async (command, options) => {
    const into = join(states, `out-${command}`);
    const { exitCode, stderr } = await runHere(command, '-r', states, '--into', into, ...options);
    expect([exitCode, stderr]).toEqual([expect.any(Number), expect.stringMatching(/^6 files: /m)]);
    rmSync(into, { recursive: true });
  });

  it('follow no links below the folder, not even with --force', async () => {
    const into = join(folder, 'linked');
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(join(into, dirname(at('a.sav'))), { recursive: true });
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'victim'), 'precious');
    symlinkSync(join(elsewhere, 'victim'), `${join(into, at('a.sav'))}.manifest`);
    symlinkSync(elsewhere, join(into, at('deep')));
    const { exitCode, stderr } = await runHere('manifest', '-r', states, '--into', into, '--force');
    expect([exitCode, stderr.match(/it is a link, which may lead out/g)?.length]).toEqual([4, 4]);
    expect(readdirSync(elsewhere)).toEqual(['victim']);
    expect(readFileSync(join(elsewhere, 'victim'), 'utf8')).toBe('precious');
  });

  it('need a folder: several files do not fit into one', async () => {
    for (const words of [
      ['extract', at('a.sav'), at('deep', 'b.sav'), '-o', 'x'],
      ['manifest', '-r', states, '-o', 'x'],
      ['convert', '-r', states],
      ['salvage', at('a.sav'), 'x', 'y'],
    ]) {
      const { exitCode, stderr } = await runHere(...words);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining('--into')]);
    }
  });
});

describe('metrics', () => {
  it('say for Prometheus what the last run has come to', async () => {
    const metrics = join(folder, 'savkit.prom');
    for (let run = 0; run < 2; run++) await runHere('verify', '-r', states, '--metrics', metrics);
    const text = readFileSync(metrics, 'utf8');
    expect(statSync(metrics).mode & 0o444).toBe(0o444 & ~process.umask());
    expect(text).toContain('savkit_files{command="verify",outcome="whole"} 4\n');
    expect(text).toContain('savkit_files{command="verify",outcome="no state"} 1\n');
    expect(text).toContain('savkit_run_exit_code{command="verify"} 1\n');
    // Each line is a comment, or a sample as the format wants it.
    for (const line of text.trimEnd().split('\n'))
      expect(line).toMatch(/^# (HELP|TYPE) savkit_\w+ .+$|^savkit_\w+\{\w+="[^"]*"(,\w+="[^"]*")?\} [\d.]+$/);
    expect((await runHere('verify', at('a.sav'), '--metrics', folder)).exitCode).toBe(4);
    const other = join(folder, 'other.sav');
    copyFileSync(at('a.sav'), other);
    const { exitCode, stderr } = await runHere('verify', at('a.sav'), '--metrics', other);
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining(`Cannot replace ${other}: it is there already`)]);
    expect(readFileSync(other)).toEqual(readFileSync(at('a.sav')));
    rmSync(other);
  });
});

describe('diff with a base', () => {
  it('tells which files differ from the base', async () => {
    const { stdout, stderr, exitCode } = await runHere('diff', '--base', original, '-r', states);
    expect([exitCode, stdout.match(/: equal/g)?.length]).toEqual([1, 4]);
    expect(stderr).toContain('4 equal');
  });
});

describe('a journal', () => {
  const journal = join(folder, 'journal.ndjson');
  const run = (...words: string[]) => runHere('verify', '-r', states, '--journal', journal, ...words);
  const filesIn = () => linesOf(readFileSync(journal, 'utf8')).filter(({ event }) => event === 'file');

  it('has each file once, whatever befell the process before', async () => {
    expect((await run()).exitCode).toBe(1);
    expect(filesIn()).toHaveLength(6);
    // As if killed after three files, in the midst of a line.
    const lines = readFileSync(journal, 'utf8').split('\n');
    writeFileSync(journal, `${lines.slice(0, 4).join('\n')}\n${lines[4].slice(0, 50)}`);
    const { stdout, exitCode } = await run('--resume', '--ndjson');
    expect(linesOf(stdout)).toHaveLength(4);
    expect(linesOf(stdout).at(-1)?.summary).toEqual({ files: 6, outcomes: ALL, resumed: 3 });
    expect(exitCode).toBe(1);
    expect(new Set(filesIn().map(({ file }) => file)).size).toBe(6);
    expect(filesIn()).toHaveLength(6);
  });

  it('belongs to one process at a time, which no other one disturbs', async () => {
    const own = join(folder, 'shared.ndjson');
    const letGo = await holdAlone(own);
    const words = ['verify', '-r', folder, '--journal', own, '--resume'];
    const { exitCode, stderr } = await runHere(...words);
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('is at work with it')]);
    expect(existsSync(own)).toBe(false);
    letGo();
    const { stdout } = await runHere('verify', '-r', states, '--journal', join(states, 'j'), '--ndjson');
    expect(linesOf(stdout).at(-1)?.summary).toMatchObject({ files: 6 });
    rmSync(join(states, 'j'));
  });

  it('gets a new result for a file that has changed since, and for one that could not be read', async () => {
    appendFileSync(at('a.sav'), 'x');
    const { stdout } = await run('--resume', '--ndjson');
    expect(linesOf(stdout)[0]).toMatchObject({ file: at('a.sav'), outcome: 'damaged' });
    expect(linesOf(stdout)).toHaveLength(2);
    copyFileSync(original, at('a.sav'));
  });

  it('is not written over, and not gone on with by another command or other options', async () => {
    expect((await run()).stderr).toContain('--resume goes on with it');
    for (const words of [['inspect'], ['verify', '--hash']]) {
      const { exitCode, stderr } = await runHere(...words, '-r', states, '--journal', journal, '--resume');
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining('of another command, or of other options')]);
    }
    expect((await runHere('verify', states, '--resume')).exitCode).toBe(2);
  });

  it.each(['precious', 'one line\n', '\0\0\0', '{"event":"file"}', '{"journal":"x"', `{"journal":${'['.repeat(50)}\n`])(
    'is not made of another file, which stays: %j',
    async (content) => {
      const other = join(folder, 'other');
      writeFileSync(other, content);
      const { exitCode, stderr } = await runHere('verify', original, '--journal', other, '--resume');
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining('it is no journal of savkit')]);
      expect(readFileSync(other, 'utf8')).toBe(content);
    },
  );

  it('goes on where a process was killed before its first line was whole, and takes names with any characters', async () => {
    const [own, odd] = [join(folder, 'odd.ndjson'), join(folder, 'a\u2028b\rc.sav')];
    copyFileSync(original, odd);
    writeFileSync(own, '{"journal":"sav');
    for (const resumed of [0, 1]) {
      const { stdout } = await runHere('verify', odd, '--journal', own, '--resume', '--ndjson');
      expect(linesOf(stdout).at(-1)?.summary).toMatchObject({ files: 1, resumed });
    }
    // As editors of Windows write it.
    writeFileSync(own, readFileSync(own, 'utf8').replaceAll('\n', '\r\n'));
    const before = readFileSync(own, 'utf8');
    expect((await runHere('verify', odd, '--journal', own, '--resume')).exitCode).toBe(0);
    expect(readFileSync(own, 'utf8')).toBe(before);
  });

  it('lets outputs that a killed process has left be replaced, and no others', async () => {
    const [into, own] = [join(folder, 'into'), join(folder, 'own.ndjson')];
    const words = ['manifest', at('a.sav'), at('deep', 'b.sav'), '--into', into, '--journal', own];
    await runHere(...words);
    const lines = readFileSync(own, 'utf8').split('\n');
    // The output of the second one was written, its line was not.
    writeFileSync(own, `${lines.slice(0, 4).join('\n')}\n`);
    const { exitCode, stderr } = await runHere(...words, '--resume');
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('2 files: 2 done; 1 of them')]);
    expect(existsSync(into)).toBe(true);
  });

  it('never replaces an output that stood there before, or came while it worked', async () => {
    const own = join(folder, 'before.ndjson');
    const into = join(folder, 'before');
    const words = ['manifest', at('a.sav'), '--into', into, '--journal', own];
    const output = join(into, `${at('a.sav')}.manifest`);
    mkdirSync(dirname(output), { recursive: true });
    writeFileSync(output, 'precious');
    for (const more of [[], ['--resume'], ['--resume']]) {
      expect((await runHere(...words, ...more)).exitCode).toBe(4);
      expect(readFileSync(output, 'utf8')).toBe('precious');
      // As if the output had come from elsewhere after work on its input had begun.
      const lines = readFileSync(own, 'utf8').split('\n');
      const { file, size, modified } = JSON.parse(lines[1]);
      lines.splice(1, 0, JSON.stringify({ event: 'begin', file, size, modified }));
      writeFileSync(own, lines.join('\n'));
    }
  });

  it('keeps the outputs of two files apart, whatever the options', async () => {
    const into = join(folder, 'apart');
    const file = at('a.sav');
    const words = ['manifest', file, file, file.slice(1), '--into', into, '--force'];
    const { exitCode, stdout, stderr } = await runHere(...words);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('output of another file')]);
    expect(stdout.match(/KiB; memory/g)).toHaveLength(2);
    // With the link followed, both outputs would have the same name.
    symlinkSync(at('deep', 'er'), at('link'));
    copyFileSync(original, at('deep', 'a.sav'));
    const other = ['manifest', file, `${at('link')}/../a.sav`, '--into', into, '--force'];
    const { exitCode: code, stderr: said } = await runHere(...other);
    expect([code, said]).toEqual([2, expect.stringContaining('output of another file')]);
  });
});
