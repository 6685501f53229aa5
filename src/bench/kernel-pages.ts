import { randomFillSync } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PAGE_SIZE } from '../../formats/sizes.ts';

/** Pages that kernels are measured with: of programs, of text, and random ones. */
export const PAGE_SORTS = ['binaries', 'text', 'random'] as const;
export type PageSort = (typeof PAGE_SORTS)[number];

/** 16 MiB of each. */
const PAGES = 4096;
const SOURCES = {
  binaries: { folder: '/usr/lib', wanted: /\.so(\.|$)/ },
  text: { folder: '/usr/share', wanted: /\.(txt|py|pl|pm|md|html|js|json)$/ },
};

export function pagesFile(folder: string, sort: PageSort): string {
  return join(folder, `${sort}.pages`);
}

/** Makes the three files where they are missing. */
export function makePages(folder: string): void {
  for (const sort of PAGE_SORTS) {
    const file = pagesFile(folder, sort);
    if (!existsSync(file))
      writeFileSync(file, sort === 'random' ? randomFillSync(Buffer.alloc(PAGES * PAGE_SIZE)) : gather(SOURCES[sort]));
  }
}

function gather({ folder, wanted }: { folder: string; wanted: RegExp }): Buffer {
  const pages: Buffer[] = [];
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !wanted.test(entry.name)) continue;
    const bytes = readFileSync(join(entry.parentPath, entry.name));
    for (let at = 0; at + PAGE_SIZE <= bytes.length; at += PAGE_SIZE) pages.push(bytes.subarray(at, at + PAGE_SIZE));
    if (pages.length >= PAGES) return Buffer.concat(pages.slice(0, PAGES));
  }
  throw new Error(`${folder} holds fewer than ${PAGES} pages of ${wanted}`);
}
