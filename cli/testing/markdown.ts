import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

const FENCED = /^```(\w*)\n(.*?)^```$/gms;

/** The blocks of code in a text of Markdown; the language is empty where none is named. */
export function codeBlocks(markdown: string): { language: string; text: string }[] {
  return [...markdown.matchAll(FENCED)].map(([, language, text]) => ({ language, text }));
}

/** Targets of its links. */
export function linksIn(markdown: string): string[] {
  return [...withoutCode(markdown).matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)|^\[[^\]]+\]: +(\S+)/gm)].map(
    ([, inline, reference]) => inline ?? reference,
  );
}

/** The anchors of its headings, as GitHub and npm make them. */
export function anchorsIn(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of markdown.replaceAll(FENCED, '').matchAll(/^#{1,6} +(.*?) *#*$/gm)) {
    const words = heading.replaceAll(/\]\([^)]*\)/g, '');
    const anchor = words
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-');
    let unique = anchor;
    for (let i = 1; anchors.has(unique); i++) unique = `${anchor}-${i}`;
    anchors.add(unique);
  }
  return anchors;
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(FENCED, '').replaceAll(/(`+)[^`].*?\1/g, (code) => (code.includes('](') ? '' : code));
}

/** The links of a document, at its path from a folder, that lead nowhere in there. */
export function brokenLinks(folder: string, document: string): string[] {
  const read = (path: string) => readFileSync(join(folder, path), 'utf8');
  return linksIn(read(document)).filter((link) => {
    if (/^(https?|mailto):/.test(link)) return false;
    const [path, anchor] = link.split('#');
    const target = path === '' ? document : posix.join(dirname(document), path);
    return !existsSync(join(folder, target)) || (anchor !== undefined && !anchorsIn(read(target)).has(anchor));
  });
}
