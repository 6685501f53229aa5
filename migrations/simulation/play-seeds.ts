import { leaveOut } from './shrink.ts';

/** Options of all campaigns that play seeds, for `parseArgs`. */
export const SEED_OPTIONS = {
  seed: { type: 'string', default: '1' },
  minutes: { type: 'string', default: '60' },
  only: { type: 'string' },
  first: { type: 'boolean', default: false },
} as const;

/** Values of these options, with the number of runs. */
interface SeedValues {
  runs: string;
  seed: string;
  minutes: string;
  only?: string | undefined;
  first: boolean;
}

/** Verdict on one play. */
interface Verdict {
  faults: string[];
  log: string[];
  happened: number;
}

/** A kind of simulated run, for a campaign. */
interface Game<S, V> {
  draw(seed: number): S;
  judge(scenario: S): Promise<V>;
  /** Scenarios with less in them. */
  smaller(scenario: S): S[];
  /** Called with each verdict. */
  count(verdict: V): void;
  /** Text about a verdict besides its faults, for the last line. */
  told(verdict: V): string;
  /** Takes lines for the person who started the campaign. */
  print(line: string): void;
}

/**
 * Plays seeds one after the other, and prints faults, each with the smallest scenario that shows it; sets the exit
 * code.
 * @returns number of plays, number of plays with faults, and plays a second of processor time
 */
export async function playSeeds<S, V extends Verdict>(
  values: SeedValues,
  game: Game<S, V>,
): Promise<{ done: number; failed: number; speed: number }> {
  const cpu = process.cpuUsage();
  const isOne = values.only !== undefined;
  const start = Number(values.only ?? values.seed);
  const runs = isOne ? 1 : Number(values.runs);
  const until = performance.now() + Number(values.minutes) * 60_000;
  let done = 0;
  let failed = 0;
  for (let seed = start; seed < start + runs && performance.now() < until; seed++) {
    const scenario = game.draw(seed);
    const verdict = await game.judge(scenario);
    const isWell = verdict.faults.length === 0;
    done++;
    game.count(verdict);
    if (isWell && !isOne) continue;
    if (!isWell) failed++;
    game.print(`seed ${seed}: ${verdict.faults.join('; ') || 'all is well'}`);
    if (values.first || (!isOne && failed > 20)) break;
    const small = isWell ? { scenario, verdict } : await leaveOut(scenario, game.judge, game.smaller);
    game.print(`  ${JSON.stringify(small.scenario)}\n  ${small.verdict.log.join('\n  ')}`);
    game.print(`  ${small.verdict.faults.join('; ')}; ${small.verdict.happened} happenings${game.told(small.verdict)}`);
  }
  const { user, system } = process.cpuUsage(cpu);
  process.exitCode = failed > 0 ? 1 : 0;
  return { done, failed, speed: (done * 1e6) / (user + system) };
}
