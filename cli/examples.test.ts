import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeQemuExamples } from '../src/testing/qemu-samples.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { COMMANDS } from './command-list.ts';
import { declarationOf } from './manual/declaration.ts';
import { runHere } from './testing/run-here.ts';

/** Commands that need another process, another host, a queue, or QEMU: they have tests of their own. */
const BETWEEN_PROCESSES = [
  ...['receive', 'send', 'relay', 'migrate', 'run', 'live-save', 'control', 'wake', 'drain', 'top', 'fleet'],
];
/** Examples that read stdin. */
const TYPED = /\$0 console \S+( <|$)|\$0 verify -$/;
/** Exit codes besides 0 where an example's two states differ, or its target does not fit. */
const EXIT_CODES: Readonly<Record<string, readonly number[]>> = {
  screenshot: [5],
  diff: [0, 1],
  check: [0, 5],
  // Without the machine of another release not everything can be judged.
  adapt: [0, 3, 5],
};

const folder = mkdtempSync(join(tmpdir(), 'savkit-examples-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SETTINGS = '<VirtualBox version="1.19-linux"><Machine name="box"><Hardware/></Machine></VirtualBox>';
/** Examples that need a key. */
const SIGNED = /--sign /;
const FILES: Readonly<Record<string, string>> = {
  'states/notes.txt': 'notes',
  'kernel.bin': 'bytes',
  'VirtualBox VMs/box/box.vbox': SETTINGS,
  'VirtualBox VMs/box/Logs/VBox.log': '',
};

beforeAll(async () => {
  for (const name of ['machine', 'before', 'a', 'b', 'old', 'broken', 'converted'])
    copyFileSync(join(STATES_FOLDER, 'own-long.sav'), join(folder, `${name}.sav`));
  for (const name of ['live', 'after'])
    copyFileSync(join(STATES_FOLDER, 'own-long-live.sav'), join(folder, `${name}.sav`));
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  writeQemuExamples(folder);
  await runHere('manifest', join(folder, 'machine.sav'), '-o', join(folder, 'machine.manifest'));
});

/** The words of the call of savkit in an example, with the names of files that there are. */
function wordsOf(example: string): string[] {
  const [call] = example.replace(/^.*\$0 /, '').split(/ [|<>] /);
  const words = call.match(/"[^"]*"|'[^']*'|\S+/g) ?? [];
  const plain = words.map((word) => word.replace(/^(["'])(.*)\1$/, '$2'));
  // Outputs get names of their own: this process refuses to write over a file that it has read.
  return plain.flatMap((word, i) =>
    plain[i - 1] === '-o' && word !== '-' ? [join(folder, `new-${word}`)] : standIn(word),
  );
}

function standIn(word: string): string[] {
  if (word === '*.sav') return [join(folder, 'a.sav'), join(folder, 'b.sav')];
  // The states of the tests have no screen.
  if (/^(states|manifests|checked\.ndjson)$/.test(word)) return [join(folder, word)];
  if (word === 'VRam') return ['VMMDev'];
  if (Object.keys(FILES).some((path) => path.startsWith(`${word}/`))) return [join(folder, word)];
  return /\.(sav|state|save|xml|raw|bin|manifest|vbox|log|png|args)$|\.qcow2(:\w+)?$|^core$/.test(word)
    ? [join(folder, word)]
    : [word];
}

const commands = COMMANDS.map((command) => ({ name: command.command.split(' ')[0], command })).filter(
  ({ name }) => !BETWEEN_PROCESSES.includes(name),
);

it.each(commands)('the examples of $name work', async ({ name, command }) => {
  const examples = (await declarationOf(command)).examples
    .map(({ call }) => call)
    .filter((example) => example.includes(`$0 ${name} `) && !TYPED.test(example) && !SIGNED.test(example));
  expect(examples.length).toBeGreaterThan(0);
  // Several examples may write the same file.
  const force = ['extract', 'convert', 'adapt', 'salvage', 'manifest', 'poke', 'screenshot', 'report'].includes(name)
    ? ['-f']
    : [];
  for (const example of examples) {
    const { stdout, stderr, exitCode } = await runHere(...wordsOf(example), ...force);
    expect(EXIT_CODES[name] ?? [0], `${example}\n${stderr}`).toContain(exitCode);
    expect(stdout + stderr, example).not.toBe('');
  }
});
