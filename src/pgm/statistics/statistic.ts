/** U8, U32 and U64 show a value as it is; counters and profiles can be reset. Source: VBox/vmm/stam.h, STAMTYPE. */
export type StatisticKind = 'u8' | 'u32' | 'u64' | 'counter' | 'profile';
/** STAMUNIT. VirtualBox spells the second one `OCCURENCES`, and writes it `times`. */
export type StatisticUnit = 'count' | 'occurrences' | 'bytes' | 'ticks-per-call';
/** Whether a statistic is shown always, or once it is not 0. */
export type StatisticVisibility = 'always' | 'used';

/**
 * Path, kind, description. In a path, `{A,B}` stands for A and for B, `%u` for each CPU's number. R3 is ring 3, RZ ring
 * 0 or raw mode, RC raw mode. Spellings are VirtualBox's.
 */
export type StatisticRow = readonly [path: string, kind: StatisticKind, description: string];

/** Number and duration of an action, in ticks. */
export interface Profile {
  /** Number of actions. */
  periods: number;
  /** Duration of all actions together. */
  ticks: number;
  /** Duration of the shortest action. */
  min: number;
  /** Duration of the longest action. */
  max: number;
}

/** A count, or a profile. */
export type StatisticValue = number | Readonly<Profile>;

/** Declaration of a statistic. */
export interface Statistic {
  /** As VirtualBox names it, such as `/PGM/Page/cZeroPages`. */
  readonly path: string;
  /** A count, a profile, or a value that others keep. */
  readonly kind: StatisticKind;
  /** Unit of the value. */
  readonly unit: StatisticUnit;
  /** Whether it is listed while it is zero. */
  readonly visibility: StatisticVisibility;
  /** One line for people. */
  readonly description: string;
}

/** A statistic with its value at one moment. */
export interface StatisticSample extends Statistic {
  /** The value at that moment. */
  readonly value: StatisticValue;
}

/** Profile of an action that was never done. */
export const NO_PROFILE: Readonly<Profile> = { periods: 0, ticks: 0, min: 0, max: 0 };

/** The statistics that rows stand for, with `cpus` CPUs. */
export function* statisticsOf(rows: readonly StatisticRow[], cpus: number): Generator<Statistic> {
  for (const [pattern, kind, description] of rows) {
    for (const path of pathsOf(pattern, cpus))
      yield { path, kind, unit: unitOf(path, kind), visibility: visibilityOf(path), description };
  }
}

function* pathsOf(pattern: string, cpus: number): Generator<string> {
  const choice = /\{([^}]*)\}/.exec(pattern);
  if (choice) {
    for (const name of choice[1].split(',')) yield* pathsOf(pattern.replace(choice[0], name), cpus);
  } else if (pattern.includes('%u')) {
    for (let cpu = 0; cpu < cpus; cpu++) yield pattern.replace('%u', String(cpu));
  } else {
    yield pattern;
  }
}

function unitOf(path: string, kind: StatisticKind): StatisticUnit {
  if (kind === 'profile') return 'ticks-per-call';
  if (kind !== 'counter') return path === '/MM/cbRamBase' ? 'bytes' : 'count';
  return path.endsWith('/Bytes') ? 'bytes' : 'occurrences';
}

function visibilityOf(path: string): StatisticVisibility {
  return path.startsWith('/PGM/LiveSave/') ? 'used' : 'always';
}
