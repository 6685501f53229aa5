import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const DOOR = join('cli', 'terminal', 'print.ts');
/** Tells users of an older Node that it is too old. Such a Node can't load the door, so this file prints by itself. */
const OLD_NODE = join('cli', 'main.ts');
/** Tools of this project: they print only texts that they have made themselves. */
const TOOLS = /\.(test|campaign|bench)\.ts$|[/\\](testing|bench)[/\\]|cli[/\\]demo\.ts$/;

const sources = ['cli', 'migrations', 'src', 'formats'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !TOOLS.test(join(folder, name)))
    .map((name) => join(root, folder, name)),
);

/** Files in which a pattern stands, comments not counted. */
function filesWith(pattern: RegExp): string[] {
  const withoutComments = (path: string) => readFileSync(path, 'utf8').replace(/\/\*.*?\*\/|(?<=^|\s)\/\/[^\n]*/gs, '');
  return sources.filter((path) => pattern.test(withoutComments(path))).map((path) => relative(root, path));
}

it('lets nothing but one file write to stdout and stderr', () => {
  expect(sources.length).toBeGreaterThan(300);
  expect(
    filesWith(
      /\bprocess\s*(\.|\[\s*['"])\s*(stdout|stderr)|\bfrom 'node:process'|\b\{[^}]*\b(stdout|stderr)\b[^}]*\} = process/,
    ),
  ).toEqual([DOOR]);
  expect(
    filesWith(
      /\bconsole\.(log|error|warn|info|debug|dir|table|trace)\b|\bfd: [12]\b|\bwriteSync\(\s*[12]\b|\/dev\/(stdout|stderr|tty)/,
    ).sort(),
  ).toEqual([join('cli', 'io', 'descriptor-paths.ts'), OLD_NODE].sort());
});

it('lets only the files of this folder say of a text that it is safe', () => {
  for (const path of filesWith(/\btrusted\(/)) expect(path).toContain(join('cli', 'terminal'));
});

it('hands the streams only to libraries that draw', () => {
  expect(filesWith(/\b(drawingStreams|byteOutput)\b/).sort()).toEqual(
    [
      join('cli', 'commands', 'states', 'console.ts'),
      join('cli', 'io', 'output-stream.ts'),
      join('cli', 'terminal', 'progress-bar.ts'),
      DOOR,
    ].sort(),
  );
});
