import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { marked } from 'marked';
import markedMan from 'marked-man';

/**
 * Writes a man page of each page in docs/commands.
 * @param {string} root the project's folder
 * @param {string} target the folder for the man pages
 */
export function writeManual(root, target) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  marked.use(markedMan);
  mkdirSync(target, { recursive: true });
  const folder = join(root, 'docs/commands');
  for (const page of readdirSync(folder).filter((name) => name.endsWith('.md'))) {
    const name = page === 'README.md' ? 'savkit' : `savkit-${page.slice(0, -'.md'.length)}`;
    const text = forMan(name, readFileSync(join(folder, page), 'utf8'));
    const options = { section: '1', name, version: `savkit ${version}`, manual: 'savkit', breaks: false };
    const roff = String(marked.parse(text, options));
    // Without this, text after a table is drawn over the table's last line.
    writeFileSync(
      join(target, `${name}.1`),
      roff.replaceAll('.TE\n', '.TE\n.sp\n').replaceAll(' nowarn box;', ' nowarn;'),
    );
  }
}

/**
 * Adapts the title, drops comments, and drops targets of links, which man pages cannot follow.
 * @param {string} name
 * @param {string} text
 */
function forMan(name, text) {
  const described = /<!-- table synopsis -->\s*(.*?)\.\n/.exec(text)?.[1] ?? '';
  return text
    .replace(/^# .*\n/, `# ${name}(1) -- ${described}\n`)
    .replaceAll(/<!--.*?-->\n?/g, '')
    .replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1');
}
