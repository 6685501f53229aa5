import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { explainCode } from '../src/saved-state/explain/explain.ts';
import { explainLog } from '../src/saved-state/explain/log-reader.ts';

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../docs/${path}`, import.meta.url)), 'utf8');
const page = read('troubleshooting.md');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| code'))
  .map((line) => line.split(' | '));

/** Public threads about states that do not load, by their code or VirtualBox's words. */
const THREADS: [string, string][] = [
  ['VirtualBox#120', 'VERR_CPUM_INVALID_XCR0'],
  ['minikube#21197', 'VERR_CPUM_INVALID_XCR0'],
  ['VirtualBox#96', 'VERR_CPUM_INVALID_XCR0'],
  ['CuckooVM#1', 'VERR_SSM_LOAD_CPUID_MISMATCH'],
  ['CuckooVM#2', 'has already exposed to the guest'],
  ['sahara#34', 'VERR_SSM_LOAD_CPUID_MISMATCH'],
  ['cuckoo#2166', 'CPU model mismatch'],
  ['runMacOSinVirtualBox#100', 'missing a device on port 1'],
  ['SuperUser 915652', 'VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH'],
  ['pixnet', 'VERR_SSM_LOAD_CONFIG_MISMATCH'],
  ['roos.com', "Found no handler for unit 'serial'"],
  ['vagrant#10780', 'VERR_SSM_LOADED_TOO_LITTLE'],
  ['VirtualBox#386', 'guru meditation'],
  ['VirtualBox#199', 'guru meditation'],
  ['MobSF#909', 'guru meditation'],
];

describe('docs/troubleshooting.md', () => {
  it.each(THREADS)('has %s, found by %s, with what helps', (thread, words) => {
    const found = rows.filter(([words_, _unit, reports]) => reports.includes(thread) && words_.includes(words));
    expect(found).toHaveLength(1);
    expect(found[0].slice(3).join(' | ')).toMatch(/`(?:savkit|VBoxManage) |7\.2 does not, and loads/);
  });

  it('names codes that savkit explains, also in the words of a log', () => {
    const codes = rows.flatMap(([words]) => words.match(/VERR_\w+/g) ?? []);
    expect(codes.length).toBeGreaterThan(5);
    for (const code of codes) {
      expect(explainCode(code)[0].name).toBe(code);
      expect(explainLog(`VBoxManage: error: Failed to load unit 'x' (${code})`)[0].explanation.name).toBe(code);
    }
  });

  it('has commands with options that there are', () => {
    const commands = [...page.matchAll(/savkit ([a-z]+)([^`\n#]*)/g)].map(([, name, rest]) => ({ name, rest }));
    expect(commands.length).toBeGreaterThan(15);
    for (const { name, rest } of commands)
      for (const [option] of rest.matchAll(/--[a-z][a-z-]*/g))
        expect([name, read(`commands/${name}.md`)]).toEqual([name, expect.stringContaining(`\`${option}`)]);
  });
});
