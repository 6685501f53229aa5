import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
const commands = Object.entries(scripts).flatMap(([name, script]) =>
  script.split(' && ').map((command) => ({ name, command })),
);

/**
 * Programs that packages bring along, and Node; words without quotes, variables, redirections or patterns, which shells
 * read differently.
 */
const ANY_SHELL = /^(node|tsc|biome|typedoc|vitest)( [\w./:=-]+)*$/;

describe('scripts of the package', () => {
  it.each(commands)('$name: `$command` means the same to every shell', ({ command }) => {
    expect(command).toMatch(ANY_SHELL);
  });

  it.each(commands.filter(({ command }) => command.startsWith('node ')))(
    '$name: `$command` runs a file that exists',
    ({ command }) => {
      const [, path] = command.split(' ');
      const source = path.startsWith('dist/') ? path.replace(/^dist\//, '').replace(/\.js$/, '.ts') : path;
      expect(existsSync(join(root, source))).toBe(true);
    },
  );
});
