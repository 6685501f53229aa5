import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brokenStates, buildBroken } from '../src/testing/broken-states.ts';
import { ProgramProcess } from '../src/testing/program-process.ts';
import { writeQemuExamples } from '../src/testing/qemu-samples.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runProgram } from '../src/testing/virtualbox.ts';
import { codeBlocks } from './testing/markdown.ts';
import { runHere } from './testing/run-here.ts';

const root = join(fileURLToPath(import.meta.url), '../..');
const folder = mkdtempSync(join(tmpdir(), 'savkit-readme-'));

const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md') && !name.startsWith('spec'))
  .map((name) => join('docs', name));
const blocks = ['README.md', ...pages].flatMap((page) => codeBlocks(readFileSync(join(root, page), 'utf8')));

/** Commands with the output that README and docs show. */
const commands = blocks
  .filter(({ language }) => language === '')
  .flatMap(({ text }) => text.split(/^\$ /m).slice(1).map(commandOf));

function commandOf(text: string): { command: string; shown: string[] } {
  const [command, ...shown] = text.trimEnd().split('\n');
  return { command, shown };
}

/**
 * Only commands on files. Running machines, other hosts and a real VirtualBox have tests and campaigns of their own.
 */
const CAN_BE_REPEATED =
  /^savkit (inspect|verify|extract|convert|salvage|manifest|diff|peek|poke|stats|walk|pagetable|console) /;

beforeAll(() => {
  symlinkSync(join(root, 'test-vectors'), join(folder, 'test-vectors'));
  for (const name of readdirSync(STATES_FOLDER))
    if (name.endsWith('.sav')) copyFileSync(join(STATES_FOLDER, name), join(folder, name));
  for (const [file, name] of [
    ['damaged.sav', 'block-in-ram'],
    ['bad.sav', 'bit-in-page'],
  ])
    writeFileSync(
      join(folder, file),
      buildBroken(brokenStates().find((state) => state.name === name) as ReturnType<typeof brokenStates>[number]),
    );
  const flipped = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
  flipped[0x35c94] ^= 1 << 5;
  writeFileSync(join(folder, 'flipped.sav'), flipped);
  for (const [file, name] of [
    ['machine.sav', 'own-pae.sav'],
    ['one.sav', 'own-pae.sav'],
    ['two.sav', 'own-long.sav'],
  ])
    copyFileSync(join(STATES_FOLDER, name), join(folder, file));
  writeQemuExamples(folder);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'savkit'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a line of bash in the folder, where `savkit` is the built command line. */
function inFolder(line: string): ReturnType<typeof runProgram> {
  return runProgram('bash', [
    '-c',
    `savkit() { "${process.execPath}" "${root}/dist/bin/savkit.js" "$@"; }; cd "${folder}"; ${line} 2>&1`,
  ]);
}

/**
 * The output of a command of the documents, on both streams; the command runs in this process where it needs no shell.
 */
async function outputOf(command: string): Promise<string> {
  if (/[|<>;&$*~`\\]/.test(command)) return (await inFolder(command)).output;
  const [, ...words] = [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c);
  const before = process.cwd();
  process.chdir(folder);
  try {
    return (await runHere(...words)).both;
  } finally {
    process.chdir(before);
  }
}

/** Whether an output is what is shown, where `…` stands for any number of lines. */
function isShown(output: string, shown: readonly string[]): boolean {
  const lines = shown.map((line) =>
    line.trim() === '…' ? '(?:.*\n)*?' : `${line.trimEnd().replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')} *\n`,
  );
  return new RegExp(`^${lines.join('')}$`).test(`${output.trimEnd()}\n`);
}

describe('README and docs', () => {
  it.each(commands.filter(({ command }) => CAN_BE_REPEATED.test(command)))(
    '$command prints what is shown',
    async ({ command, shown }) => {
      const output = await outputOf(command);
      expect(isShown(output, shown), output).toBe(true);
    },
  );

  describe('in TypeScript', () => {
    let programs: ProgramProcess;
    beforeAll(() => {
      programs = new ProgramProcess(folder);
    });
    afterAll(async () => expect(await programs.end()).toMatchObject({ exitCode: 0 }));

    it.each(blocks.filter(({ language }) => language === 'ts'))('runs $text', async ({ text }) => {
      writeFileSync(join(folder, 'example.mjs'), text);
      const { ok, output } = await programs.run(join(folder, 'example.mjs'));
      expect(ok, output).toBe(true);
    });
  });
});
