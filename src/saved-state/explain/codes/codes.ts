import { CPU_CODES } from './cpu-codes.ts';
import { EVERYDAY_CODES } from './everyday-codes.ts';
import type { CodeFacts, CodeRow } from './kinds.ts';
import { MACHINE_CODES } from './machine-codes.ts';
import { MEMORY_CODES } from './memory-codes.ts';
import { SSM_CODES } from './ssm-codes.ts';

/** Codes that mean a failure anywhere in a log. */
const TELLING: readonly CodeRow[] = [...SSM_CODES, ...MEMORY_CODES, ...CPU_CODES];

/** Names of the codes that mean a failure anywhere in a log. */
export const TELLING_CODES: ReadonlySet<string> = new Set(TELLING.map(([name]) => name));

/** All codes of VirtualBox that are known. */
export const CODES: readonly CodeFacts[] = [...TELLING, ...MACHINE_CODES, ...EVERYDAY_CODES].map(
  ([name, number, kind, means, numberIn30]) => ({ name, kind, means, number, numberIn30 }),
);

/** Failures that have no code in the log; the names are savkit's. */
export const WITHOUT_CODE: readonly CodeFacts[] = [
  {
    name: 'save-never-ended',
    kind: 'never-ended',
    means: 'saving began, and the log ends before it ended: the file of the state is not complete',
  },
  { name: 'load-never-ended', kind: 'load-never-ended', means: 'loading began, and the log ends before it ended' },
  { name: 'load-failed', kind: 'not-known', means: 'the state could not be loaded, and no code tells why' },
  { name: 'save-failed', kind: 'not-known', means: 'the state could not be saved, and no code tells why' },
  { name: 'state-failed', kind: 'not-known', means: 'a state could not be saved or loaded, and no code tells why' },
  {
    name: 'start-failed',
    kind: 'reason-in-log',
    means: 'the machine ended while it was started, or its state loaded; the message does not say why',
  },
  {
    name: 'machine-in-use',
    kind: 'in-use',
    means: 'another program has the machine, or has not let go of it yet, so it was neither started nor changed',
  },
  {
    name: 'guru-meditation',
    kind: 'crashed',
    means: 'the state was loaded, and the machine crashed afterwards: VirtualBox could not go on with the guest',
  },
  {
    name: 'guru-meditation-alone',
    kind: 'crashed',
    means:
      'the machine crashed: VirtualBox could not go on with the guest. The log tells of no state that was ' +
      'loaded before',
  },
];
