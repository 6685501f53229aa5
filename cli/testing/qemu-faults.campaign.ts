import { parseArgs } from 'node:util';
import { RealQemu } from '../../migrations/testing/real-qemu.ts';
import { table } from '../terminal/table.ts';
import type { Strike } from './frame-proxy.ts';
import { QEMU_FAULTS, type QemuFault, type QemuOutcome, QemuTrial } from './qemu-trial.ts';

// npm run campaign -- qemu-faults [--each N --minutes N --qemu 7|10 --only WORDS]: migrates a bare guest that writes
// its memory between two real QEMUs, and kills or stops savkit and QEMU on either side, and cuts the link, before and
// after frames that are spread evenly over the migration. Afterwards exactly one guest has to run, by itself or when
// told by `migrate --resolve`, with its memory as it has to be; or it has ended with its QEMU, and the records say so.

const { values } = parseArgs({
  options: {
    each: { type: 'string', default: '6' },
    minutes: { type: 'string', default: '30' },
    qemu: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    workers: { type: 'string', default: '2' },
  },
});
const deadline = performance.now() + Number(values.minutes) * 60_000;
const qemu = RealQemu.find();
const rows: { fault: string; at: string; outcome: QemuOutcome }[] = [];

const { frames } = await tryOnce(0);
console.log(`${frames.length} frames: ${frames.join(', ')}`);
const plans = QEMU_FAULTS.filter((fault) => fault.includes(values.only)).flatMap((fault, i) =>
  spread(frames, Number(values.each), i).map((strike) => ({ fault, strike })),
);
await Promise.all(
  Array.from({ length: Number(values.workers) }, async (_, worker) => {
    for (let plan = plans.shift(); plan && performance.now() < deadline; plan = plans.shift())
      await tryOnce(worker, plan.fault, plan.strike);
  }),
);
const groups = new Map<string, number>();
for (const { fault, outcome } of rows) {
  const key = `${fault}|${outcome.struck ? outcome.found : 'never came'}`;
  groups.set(key, (groups.get(key) ?? 0) + 1);
}
const lines = [...groups].map(([key, count]) => [...key.split('|'), count]);
console.log(table(['fault', 'the guest', 'trials'], lines).toString());
const bad = rows.filter(({ outcome }) => outcome.why !== '');
for (const { fault, at, outcome } of bad) console.log(`BAD  ${fault} ${at}: ${outcome.why}`);
console.log(
  `${rows.length} trials, ${plans.length} left for want of time, ${bad.length} without exactly one sound guest`,
);
process.exit(bad.length === 0 ? 0 : 1);

async function tryOnce(worker: number, fault?: QemuFault, strike?: Omit<Strike, 'act'>): Promise<QemuOutcome> {
  const trial = new QemuTrial(qemu, worker, ['--qemu', values.qemu, '--guest', 'mini-long']);
  try {
    const outcome = await trial.run(fault, strike);
    const at = strike ? `${strike.where} ${strike.at}` : '';
    rows.push({ fault: fault ?? 'none', at, outcome });
    const { why, found, records, said } = outcome;
    console.log(
      `${why === '' ? 'good' : 'BAD '}  ${fault ?? 'no fault'} ${at}: ${found} (${records}; ${said})${why && `: ${why}`}`,
    );
    return outcome;
  } finally {
    await trial.close();
  }
}

/** Moments at even distances; half of them in the hand-over, which is short. @param offset shifts them */
function spread(labels: readonly string[], count: number, offset: number): Omit<Strike, 'act'>[] {
  const isLate = (label: string) => /seal|rest|ready|commit|running|barrier|arrived/.test(label);
  const moments = (of: readonly string[]) =>
    of.flatMap((at) => (['before', 'after'] as const).map((where) => ({ at, where })));
  const [late, early] = [labels.filter(isLate).slice(-9), labels.filter((label) => !isLate(label))].map(moments);
  const some = <T>(items: readonly T[], n: number) =>
    Array.from({ length: n }, (_, i) => items[Math.floor(((i + ((offset * 7) % 10) / 10) * items.length) / n)]);
  return [...some(early, count >> 1), ...some(late, count - (count >> 1))];
}
