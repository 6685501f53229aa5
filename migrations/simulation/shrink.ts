import { type Judgement, judge } from './judge.ts';
import type { Scenario } from './scenario.ts';

/** Leaves out all parts of a scenario that its fault does not need. */
export function shrink(scenario: Scenario, judgeOf = judge): Promise<{ scenario: Scenario; verdict: Judgement }> {
  return leaveOut(scenario, judgeOf, smaller);
}

/** Replaces the scenario by a smaller one with the same fault, as long as there is one. */
export async function leaveOut<S, V extends { faults: string[] }>(
  scenario: S,
  judgeOf: (scenario: S) => Promise<V>,
  smallerOf: (scenario: S) => S[],
): Promise<{ scenario: S; verdict: V }> {
  let best = scenario;
  let verdict = await judgeOf(best);
  const kind = kindOf(verdict);
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const candidate of smallerOf(best)) {
      const found = await judgeOf(candidate);
      if (kindOf(found) !== kind) continue;
      [best, verdict, isSmaller] = [candidate, found, true];
      break;
    }
  }
  return { scenario: best, verdict };
}

/** Kind of a fault: its text without numbers. */
function kindOf({ faults }: { faults: string[] }): string {
  return faults.length === 0 ? '' : faults[0].replaceAll(/[0-9a-f]*\d[0-9a-f]*/g, 'N').slice(0, 200);
}

/** Scenarios that lack one part each. */
export function smaller(scenario: Scenario): Scenario[] {
  const plain: Partial<Scenario>[] = [
    { pages: 2, workload: { ...scenario.workload, hot: 1 } },
    { streams: 1 },
    { isPaused: false },
    { isSeeded: false },
    { hasSafeFile: false },
    { missedWrites: 0 },
    { compares: false },
    { givesNumbersAgain: false },
    { staysKilled: false },
    { asksAtOnce: false },
    { limits: {} },
    { compression: 'never' },
  ];
  return smallerBy(scenario, plain);
}

/** Scenarios without one of the troubles, or with one of the changes; changes without effect are left out. */
export function smallerBy<S extends { troubles: unknown[] }>(scenario: S, changes: Partial<S>[]): S[] {
  const changed = changes.filter((change) =>
    Object.entries(change).some(([key, value]) => JSON.stringify(scenario[key as keyof S]) !== JSON.stringify(value)),
  );
  return [...withoutOne(scenario), ...changed.map((change) => ({ ...scenario, ...change }))];
}

/** One scenario for each trouble, without that trouble. */
function withoutOne<S extends { troubles: unknown[] }>(scenario: S): S[] {
  return scenario.troubles.map((_, i) => ({
    ...scenario,
    troubles: scenario.troubles.filter((_trouble, other) => other !== i),
  }));
}
