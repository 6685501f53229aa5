import fc from 'fast-check';
import { MachinePair } from './testing/machine-pair.ts';
import { firstDifference, operations } from './testing/random-operations.ts';

// Guest memory against a naive one, under thousands of random sequences of operations. A failing sequence becomes a
// case of naive-model.test.ts. Usage: npm run campaign -- memory [RUNS [SEED]]

const [runs = '20000', seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
const outcomes = new Map<string, number>();
const started = performance.now();
const details = fc.check(
  fc.property(operations, (sequence) => {
    const pair = new MachinePair();
    const difference = firstDifference(
      pair,
      sequence.map((operation) => ({ ...operation, run: (both) => counted(operation.text, operation.run(both)) })),
    );
    if (difference !== undefined) throw new Error(`${difference}\n${sequence.map(({ text }) => text).join('\n')}`);
  }),
  { numRuns: Number(runs), seed: Number(seed), endOnFailure: false },
);

function counted(text: string, outcome: unknown[]): unknown[] {
  const [real] = outcome;
  const isCode = typeof real === 'string' && (real.startsWith('VERR') || real === 'no-more-writes');
  const key = `${text.slice(0, text.indexOf('('))} ${isCode ? real : 'ok'}`;
  outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
  return outcome;
}

for (const [key, count] of [...outcomes].sort()) console.log(`${String(count).padStart(9)}  ${key}`);
console.log(
  `${details.numRuns} sequences, seed ${seed}, ${((performance.now() - started) / 1000).toFixed(0)} s: ${details.failed ? 'FAILED' : 'no difference'}`,
);
if (details.failed) {
  console.log(details.errorInstance);
  process.exitCode = 1;
}
