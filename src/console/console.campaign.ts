import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openFile } from '../../formats/files/source.ts';
import { loadState } from '../machine/load.ts';
import { Console } from './console.ts';

// npm run campaign -- console FOLDER…, each with NAME.sav and NAME.info.txt ("==== info ITEM" before each item):
// compares info items with what the real VirtualBox printed for the same stopped machine, line by line. Not compared:
// addresses of the host, how often modes have changed, handlers of devices (a state does not name them), and of handlers
// their kind (7.2 watches only writes to shadowed ROMs). Exit code 2: there was nothing to compare.

const ITEMS = ['mode', 'pgmcr3', 'phys', 'handlers', 'cpumguest'];
const counts = { passed: 0, failed: 0 };

for (const folder of process.argv.slice(2)) {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.sav'))) {
    const infoFile = join(folder, file.replace(/\.sav$/, '.info.txt'));
    if (existsSync(infoFile)) await compare(join(folder, file), readFileSync(infoFile, 'utf8'));
  }
}
if (counts.passed + counts.failed === 0)
  console.log('Nothing was compared: expected folders with states and info items');
else console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed > 0 ? 1 : counts.passed === 0 ? 2 : 0;

async function compare(path: string, info: string): Promise<void> {
  const source = await openFile(path);
  const debuggerConsole = new Console(await loadState(source));
  await source.close();
  for (const item of ITEMS) {
    const theirs = sectionOf(info, item);
    if (!theirs) continue;
    const ours = comparable(item, (await debuggerConsole.run(`info ${item}`)).text.split('\n'));
    const expected = comparable(item, theirs);
    for (let i = 0; i < Math.max(ours.length, expected.length); i++) {
      if (ours[i] === expected[i]) counts.passed++;
      else {
        counts.failed++;
        console.log(`${path}, info ${item}, line ${i + 1}: ${ours[i]}, expected ${expected[i]}`);
      }
    }
  }
}

function sectionOf(info: string, item: string): string[] | undefined {
  const start = info.indexOf(`==== info ${item}\n`);
  if (start < 0) return undefined;
  const end = info.indexOf('==== ', start + 5);
  return info
    .slice(info.indexOf('\n', start) + 1, end < 0 ? undefined : end)
    .replace(/\n+$/, '')
    .split('\n');
}

function comparable(item: string, lines: readonly string[]): string[] {
  if (item === 'mode') return lines.map((line) => line.replaceAll(/changed \d+ times/g, 'changed N times'));
  if (item === 'phys')
    return lines.map((line) => line.replace(/pVM=\w+/, 'pVM=').replace(/^(\w{16}-\w{16}) \w{16} /, '$1 '));
  if (item !== 'handlers') return [...lines];
  const watched = lines.filter((line) => !/ {2}\(keep-pgm-lock/.test(line));
  return watched.map((line) => line.replace(/^(\w{16} - \w{16}) {2}\w{16} {2}\w{16} {2}\w+ +/, '$1  '));
}
