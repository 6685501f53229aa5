import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

// dist/bin/code-cache holds compiled code of the bundle for this very Node, which a start of savkit then need not
// compile again. Another Node does without the cache: scripts/bundle/launcher.cjs.

const USAGE_ERROR = 2;

/** Commands whose code is kept; each is a good run, in a folder with the files of `states`. */
const COMMANDS = [
  'verify a.sav',
  'verify --json b.sav',
  'verify qemu.state',
  'inspect a.sav',
  'inspect --json b.sav',
  'extract a.sav -o a.raw',
  'extract --format elf b.sav -o b.elf',
  'extract qemu.state -o qemu.raw',
  'convert a.sav copy.sav',
  'convert --recompress --flatten b.sav flat.sav',
  'salvage a.sav salvaged.sav',
  'manifest a.sav -o a.manifest',
  'verify --manifest a.manifest a.sav',
  'stats a.sav',
  'diff a.sav b.sav',
  'peek a.sav --at 0x1000 --len 64',
  'find a.sav --text savkit',
  'check a.sav --virtualbox 7.2',
  'explain VERR_SSM_LOAD_CONFIG_MISMATCH',
  'migrate a.sav --dry-run',
  'run --help',
  'receive --help',
  'help',
];

/**
 * Runs commands of the bundle, and keeps the code that they compiled.
 * @param {string} root of the project, with its bundle
 * @throws if a command is not understood: the list is out of date then
 */
export function writeCodeCache(root) {
  const bin = join(root, 'dist/bin');
  const cache = join(bin, 'code-cache', `${process.version}-${process.arch}`);
  const program = join(root, 'scripts/bundle/keep-compiled.cjs');
  const folder = mkdtempSync(join(tmpdir(), 'savkit-build-'));
  try {
    for (const [name, content] of Object.entries(states(root))) writeFileSync(join(folder, name), content);
    for (const command of COMMANDS) {
      const words = [program, bin, cache, ...command.split(' ')];
      const { status, stderr } = spawnSync(process.execPath, words, { cwd: folder, encoding: 'utf8' });
      if (status === null || status === USAGE_ERROR) throw new Error(`savkit ${command}: ${stderr}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} root @returns {Record<string, Buffer>} */
function states(root) {
  const vector = (/** @type {string} */ name) => readFileSync(join(root, 'test-vectors', name));
  return {
    'a.sav': vector('states/own-pae.sav'),
    'b.sav': vector('states/own-long-live.sav'),
    'qemu.state': brotliDecompressSync(vector('qemu/live-7.state.br')),
  };
}
