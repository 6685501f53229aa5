import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { COMMANDS } from './command-list.ts';
import { runHere } from './testing/run-here.ts';
import { expectSchema } from './testing/savkit-json.ts';

const PLAIN = join(STATES_FOLDER, 'own-long.sav');
const NAMES = COMMANDS.map(({ command }) => command.split(' ')[0]);

/** The output of a command line that is refused. */
async function refused(...words: string[]): Promise<{ stdout: string; stderr: string }> {
  const { exitCode, ...printed } = await runHere(...words);
  expect(exitCode, words.join(' ')).toBe(2);
  return printed;
}

/** The code of the error in the document that is printed. */
async function refusedInJson(...words: string[]): Promise<string> {
  const { stdout, stderr } = await refused(...words);
  expect(stderr).toBe('');
  const document = JSON.parse(stdout);
  expectSchema(document);
  expect(document).toMatchObject({
    exitCode: 2,
    command: NAMES.find((name) => words.includes(name)) ?? null,
    files: [],
  });
  return document.error.code;
}

const CODE = 'abcde-fghjk-mnpqr-stuvw-xyz23-45';

describe('a command line that makes no sense', () => {
  it('is refused before packages are looked for', async () => {
    const add = (...words: string[]) => refused('fleet', 'add', ...words, '--queue', 'redis://127.0.0.1:1');
    expect((await add('dance', 'a.sav')).stderr).toContain('Cannot add dance: expected one of verify');
    expect((await add('verify')).stderr).toContain('Cannot add: expected files to verify');
  });

  it.each(NAMES)('is JSON for programs: %s', async (name) => {
    expect(await refusedInJson(name, '--json', '--no-such-option')).toBe('bad-option');
    expect(await refusedInJson('--json', name, '--no-such-option=7', '--', '-x')).toBe('bad-option');
    expect(await refusedInJson(name, 'a', '', '--json')).toBe('missing-argument');
    expect(await refusedInJson(name, '--json', '--quiet=perhaps')).toBe('bad-option');
  });

  it.each([
    ['unknown-command', ['nonsense', '--json']],
    ['unknown-command', ['--json', 'nonsense', 'a.sav']],
    ['unknown-command', ['--json', 'help', 'nonsense']],
    ['no-command', ['--json']],
    ['missing-argument', ['diff', 'a', '--json']],
    ['too-many-arguments', ['diff', 'a', 'b', 'c', '--json']],
    ['too-many-arguments', ['stats', 'a', 'b', '--json', '--', '--c']],
    ['missing-option', ['extract', 'a', '--json']],
    ['bad-option', ['extract', 'a', '-o', '--json']],
    ['bad-option', ['extract', 'a', '-o', 'b', '--format', 'zip', '--json']],
    ['bad-option', ['extract', 'a', '-o', '-', '--threads', 'many', '--json']],
    ['bad-value', ['control', 'a', 'dance', '--json']],
    ['code-in-words', ['migrate', CODE, '--to', 'host:1', '--json']],
    ['code-in-words', ['migrate', 'vm.sock', `--to=${CODE}`, '--json']],
    ['code-in-words', ['receive', '--listen', CODE.replaceAll('-', ''), '--json']],
    ['code-in-words', ['relay', CODE.toUpperCase(), '--json']],
    ['bad-combination', ['check', 'a', '--machine', 'b', '--against', 'c', '--json=true']],
  ])('has an error %s: %j', async (code, words) => {
    expect(await refusedInJson(...words)).toBe(code);
  });

  it.each([
    ['extract', ['--shadow']],
    ['extract', ['--range', 'x']],
    ['extract', ['--threads', '0']],
    ['poke', ['--at', '0', '--hex', 'x']],
    ['poke', ['--at', '0']],
    ['peek', ['--at', 'x', '--raw']],
  ])('is JSON also where stdout is for data: %s %j', async (command, options) => {
    const output = command === 'peek' ? [] : ['-o', '-'];
    const { stdout, stderr } = await refused(command, PLAIN, ...output, ...options, '--json');
    const document = JSON.parse(stdout);
    expectSchema(document);
    expect({ stderr, document }).toMatchObject({
      stderr: '',
      document: { command, exitCode: 2, files: [{ error: { severity: 'error' } }] },
    });
  });

  it('is the last event for programs that read events', async () => {
    const { stdout } = await refused('migrate', 'a', '--ndjson', '--no-such-option');
    expect(JSON.parse(stdout)).toMatchObject({
      event: 'end',
      command: 'migrate',
      exitCode: 2,
      error: { code: 'bad-option' },
    });
  });

  it.each([
    [['verify', '--no-json', '--bogus']],
    [['verify', '--json', '--json=false', '--bogus']],
    [['verify', '--bogus', '--', '--json']],
  ])('is text for people: %j', async (words) => {
    const { stdout, stderr } = await refused(...words);
    expect({ stdout, stderr }).toEqual({
      stdout: '',
      stderr: 'savkit verify: there is no option --bogus\nTry: savkit verify --help\n',
    });
  });

  it('shows no names unescaped', async () => {
    const { stderr } = await refused('verify', '--\x1b[2J\n\u202e');
    expect(stderr).toBe('savkit verify: there is no option --?[2J??\nTry: savkit verify --help\n');
    expect((await refused('\x1b]0;x\x07')).stderr).toContain('there is no command "');
  });

  it.each([
    ['info', 'inspect'],
    ['grep', 'find'],
    ['hash', 'verify or manifest'],
    ['dump', 'extract or peek'],
    ['show', 'inspect'],
    ['restore', 'salvage or run'],
    ['list', 'inspect'],
    ['fix', 'salvage'],
    ['repair', 'salvage'],
    ['test', 'verify'],
    ['validate', 'verify'],
    ['cat', 'extract'],
    ['Verify', 'verify'],
    ['verfy', 'verify'],
  ])('leads from %s to %s', async (word, meant) => {
    expect((await refused(word, 'a.sav')).stderr).toContain(`; did you mean ${meant}?`);
  });
});
