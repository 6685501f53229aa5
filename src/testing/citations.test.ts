import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FLOORS = ['formats', 'src', 'migrations', 'cli', 'docs', 'test-vectors'];

interface Citation {
  from: string;
  page: string;
  section: string | undefined;
}

/** `paging.md 1.2`; further sections after a comma, such as `live-save.md 4.1, 4.2`. */
const CITATION = /([\w./-]+\.md)(?: (?:section )?(\d+(?:\.\d+)*(?:(?:, |–)\d+(?:\.\d+)*)*))?/g;

function citationsIn(text: string, from: string): Citation[] {
  return [...text.matchAll(CITATION)].flatMap(([, page, sections]) =>
    (sections?.split(/, |–/) ?? [undefined]).map((section) => ({ from, page, section })),
  );
}

/** Citations of pages or sections that do not exist. */
function broken(citations: readonly Citation[], pages: ReadonlyMap<string, string>): string[] {
  return citations
    .filter(({ page, section }) => {
      const text = pages.get(basename(page));
      return (
        text === undefined ||
        (section !== undefined && !new RegExp(`^#+ ${section.replaceAll('.', '\\.')}[. ]`, 'm').test(text))
      );
    })
    .map(({ from, page, section }) => `${from}: ${page}${section === undefined ? '' : ` ${section}`}`);
}

function filesOf(floor: string): string[] {
  return readdirSync(join(ROOT, floor), { recursive: true, encoding: 'utf8' }).map((path) => join(floor, path));
}

const files = FLOORS.flatMap(filesOf);
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const pages = new Map(
  [
    ...files.filter((path) => path.endsWith('.md')),
    'README.md',
    'CHANGELOG.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
  ].map((path) => [basename(path), read(path)]),
);

describe('citations of pages', () => {
  it('name pages and sections that exist', () => {
    const sources = files.filter((path) => path.endsWith('.ts') && !path.endsWith('citations.test.ts'));
    const citations = sources.flatMap((path) => citationsIn(read(path), path));
    expect(citations.length).toBeGreaterThan(50);
    expect(broken(citations, pages)).toEqual([]);
  });

  it('have no other numbers: nothing lists errata by number', () => {
    const sources = files.filter((path) => path.endsWith('.ts') && !path.endsWith('citations.test.ts'));
    expect(sources.filter((path) => /\berratum \d/i.test(read(path)))).toEqual([]);
  });

  it('among the fact pages lead somewhere, too, also to sections of the same page', () => {
    const citations = files
      .filter((path) => path.startsWith(join('docs', 'spec')) && path.endsWith('.md'))
      .flatMap((path) => [
        ...citationsIn(read(path), path),
        ...[...read(path).matchAll(/(\d+\.\d+) of `?([\w-]+\.md)/g)].map(([, section, page]) => ({
          from: path,
          page,
          section,
        })),
        ...[...read(path).matchAll(/(?<!\.md )\bsection (\d+(?:\.\d+)*)/gi)].map(([, section]) => ({
          from: path,
          page: basename(path),
          section,
        })),
      ]);
    expect(citations.length).toBeGreaterThan(20);
    expect(broken(citations, pages)).toEqual([]);
  });

  it('of a page or section that does not exist are found', () => {
    const known = new Map([['paging.md', '# Paging\n\n## 1. Modes\n\n### 1.2 Shadow mode\n']]);
    const found = broken(citationsIn('(paging.md 1, 1.2), (paging.md 1.3), (pages.md 1), (paging.md)', 'x.ts'), known);
    expect(found).toEqual(['x.ts: paging.md 1.3', 'x.ts: pages.md 1']);
  });
});
