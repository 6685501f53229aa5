import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Tells whether dist is up to date: the stamp, written last, has a hash of the inputs by their content and of the
 * outputs by their names and sizes. Another Node would build other compiled code.
 */
export class Stamp {
  /**
   * @param {string} root
   * @param {{ stamp: string, inputs: string[], isInput: (path: string) => boolean, outputs: string[] }} paths files and
   * folders, from root
   */
  constructor(root, { stamp, inputs, isInput, outputs }) {
    this.root = root;
    this.path = join(root, stamp);
    this.outputPaths = outputs;
    /** Hashed before the build, so that changes during the build count as changes after it. */
    this.inputs = this.#hash(inputs, (path) => (isInput(path) ? readFileSync(path) : undefined));
  }

  isCurrent() {
    return existsSync(this.path) && readFileSync(this.path, 'utf8') === this.#text();
  }

  remove() {
    rmSync(this.path, { force: true });
  }

  write() {
    writeFileSync(this.path, this.#text());
  }

  #text() {
    const outputs = this.#hash(this.outputPaths, (path) => (path === this.path ? undefined : `${statSync(path).size}`));
    return `${this.inputs} ${outputs}\n`;
  }

  /** @param {string[]} paths @param {(path: string) => string | Buffer | undefined} contentOf */
  #hash(paths, contentOf) {
    const hash = createHash('sha256').update(process.version);
    for (const path of paths.flatMap((each) => filesAt(join(this.root, each)))) {
      const content = contentOf(path);
      if (content !== undefined) hash.update(`${path}\0${content.length}\0`).update(content);
    }
    return hash.digest('hex');
  }
}

/**
 * A file, or all files in a folder in the order of their names; none if the path does not exist.
 * @param {string} path
 * @returns {string[]}
 */
function filesAt(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries.flatMap((each) => (each.isFile() ? [join(each.parentPath, each.name)] : [])).sort();
}
