import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fillTables } from '../formats/docs/struct-table.ts';
import { MISFITS } from '../migrations/wire/migration-error.ts';
import { explainCode } from '../src/saved-state/explain/explain.ts';
import { ALL_CODE_FAMILIES } from './process/code-families.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE = join(ROOT, 'docs/error-codes.md');
/** Classes whose codes are those of the class that they extend. */
const EXTENDS: Readonly<Record<string, string>> = {
  QemuFormatError: 'FormatError',
  NotAStateError: 'UnsupportedError',
  LinkError: 'EnvironmentError',
  TrustError: 'EnvironmentError',
  PeerError: 'MigrationError',
};
/** Files in which codes are declared. */
const CATALOGUE = /^formats\/codes\/|migration-error\.ts$|host-memory-error\.ts$|wake-codes\.ts$|explain\/own-codes/;

const sources = ['formats', 'src', 'migrations', 'cli'].flatMap((floor) =>
  readdirSync(join(ROOT, floor), { recursive: true, encoding: 'utf8' })
    .map((name) => `${floor}/${name.replaceAll('\\', '/')}`)
    .filter((name) => name.endsWith('.ts') && !/\.(test|campaign|bench)\.ts$|\/testing\//.test(name))
    .map((name) => ({ name, text: readFileSync(join(ROOT, name), 'utf8') })),
);

describe('codes of errors', () => {
  it('that the source throws are explained, each for its class', () => {
    const unexplained: string[] = [];
    let thrown = 0;
    for (const { name, text } of sources)
      for (const [, error, code] of text.matchAll(/new (\w+Error)\(\s*'([^']+)'/g)) {
        if (error === 'InterruptedError') continue;
        thrown++;
        const explained = explanationsOf(code).map((explanation) => explanation.error);
        if (!explained.includes(EXTENDS[error] ?? error)) unexplained.push(`${name}: ${error} ${code}`);
      }
    expect(unexplained).toEqual([]);
    expect(thrown).toBeGreaterThan(300);
  });

  it('that are listed are used somewhere', () => {
    const used = sources.filter(({ name }) => !CATALOGUE.test(name)).map(({ text }) => text);
    const all = used.join('\n');
    const unused = ALL_CODE_FAMILIES.flatMap(({ error, codes }) =>
      Object.keys(codes)
        .filter((code) => !all.includes(`'${code}'`))
        .map((code) => `${error} ${code}`),
    );
    expect(unused).toEqual([]);
  });

  it('are explained with advice, also those of the system, and for each class a code of several classes', () => {
    for (const { codes } of ALL_CODE_FAMILIES)
      for (const code of Object.keys(codes))
        for (const { means, lost } of explanationsOf(code)) expect(`${means}${lost}`.length, code).toBeGreaterThan(20);
    expect(explanationsOf('ENOENT')).toMatchObject([{ error: 'EnvironmentError', means: 'no such file or directory' }]);
    expect(explanationsOf('busy').map(({ error }) => error)).toEqual([
      'UsageError',
      'EnvironmentError',
      'MigrationError',
    ]);
    expect(explanationsOf('ram-size').map(({ error }) => error)).toEqual(['FormatError', 'Difference']);
    expect(explanationsOf('truncated')[0].next.join()).toContain('savkit salvage');
  });

  it('stand in docs/error-codes.md (npm run docs writes them)', () => {
    const tables = Object.fromEntries(
      ALL_CODE_FAMILIES.map(({ error, codes }) => [
        error,
        [
          '| Code | Meaning |',
          '|---|---|',
          ...Object.entries(codes).map(([code, means]) => `| \`${code}\` | ${means} |`),
        ].join('\n'),
      ]),
    );
    tables.misfits = `${MISFITS.map((code) => `\`${code}\``).join(', ')}.`;
    const text = readFileSync(PAGE, 'utf8');
    const filled = fillTables(text, tables);
    if (process.env.SAVKIT_WRITE_DOCS) writeFileSync(PAGE, filled);
    else expect(text).toBe(filled);
    for (const { error } of ALL_CODE_FAMILIES) expect(text).toContain(`<!-- table ${error} -->`);
  });
});

function explanationsOf(code: string) {
  return explainCode(code, ALL_CODE_FAMILIES);
}
