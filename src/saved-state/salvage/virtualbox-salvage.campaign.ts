import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brokenStates, buildBroken } from '../../testing/broken-states.ts';
import { readElfCore } from '../../testing/naive-core.ts';
import { judgeSalvage, originalOf } from '../../testing/salvage-judge.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { machineOfBundled, Score, VirtualBox } from '../../testing/virtualbox.ts';

// npm run campaign -- virtualbox-salvage: results that salvage calls loadable must load, with every kept page as it was
// and every lost page zero; all other results must be refused.

const virtualBox = await VirtualBox.find();
const score = new Score();
const folder = mkdtempSync(join(tmpdir(), 'savkit-salvage-'));
try {
  for (const state of brokenStates()) {
    for (const fill of [undefined, 'zero'] as const) await trySalvaged(state, fill);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
score.close();

async function trySalvaged(state: ReturnType<typeof brokenStates>[number], fill: 'zero' | undefined): Promise<void> {
  const original = originalOf(readFileSync(join(STATES_FOLDER, state.of)));
  const judged = await judgeSalvage(original, buildBroken(state), fill ? { fill } : {});
  if (!judged.report) return;
  const path = join(folder, 'salvaged.sav');
  const core = join(folder, 'core.elf');
  writeFileSync(path, judged.output);
  rmSync(core, { force: true });
  const { ok, output } = await virtualBox.run('load-state.sh', [path, machineOfBundled(state.of), '--core', core]);
  const what = `${state.name}${fill ? ', lost pages zero' : ''}`;
  if (!judged.report.loadable) {
    score.check(`${what}: refused, as foretold`, !ok, 'it was loaded');
    return;
  }
  if (!score.check(`${what}: loaded`, ok, output.split('\n')[0])) return;
  const memory = readElfCore(readFileSync(core));
  const wrong: string[] = [];
  let kept = 0;
  for (const [key, { content }] of original.memory) {
    const page = key.startsWith('RAM ') ? memory(Number(key.slice(4))) : undefined;
    if (!page) continue;
    const expected = judged.lost.has(key) || judged.stale.has(key) ? Buffer.alloc(4096) : content;
    if (page.equals(expected)) kept++;
    else wrong.push(key);
  }
  score.check(
    `${what}: ${kept} pages of RAM as they should be`,
    wrong.length === 0 && kept > 0,
    `${wrong.length} are not, e.g. ${wrong[0]}`,
  );
}
