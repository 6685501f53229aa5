import { UsageError } from '../../formats/errors.ts';

/*
 * States of a machine around saving (VMSTATE_…; the suffix ls is VirtualBox's _LS, "live save"):
 *
 *                 live-save                passes-done                stopped
 *      running ──────────────► running-ls ─────────────► suspending-ls ───────┐
 *       │  ▲  ◄──────────────   │    ▲                                        ▼
 *       │  │   passes-failed    │    │ resume        passes-done        suspended-ls ◄─┐ passes-done: was suspended
 * suspend  │ resume        suspend   └──────────────── (stays) ──────────►    │  └──────┘ by the user before
 *       ▼  │                    └─────────────────────────────────────►       │ final-pass
 *      suspended ────────────────── save ───────────────────────────► saving ◄┘
 *          ▲ ▲───────────────────────── saved, save-failed ─────────────┘
 *          └─────── passes-failed ─────── suspended-ls
 *
 * reset leads from running, running-ls and suspended to resetting (or resetting-ls), and from there back to where the
 * machine was.
 *
 * debugging, off, fatal-error and guru-meditation have a form ls as well (live save), which passes-done and
 * passes-failed turn into the plain one. In debugging-ls, passes-done is to be tried again after 250 ms.
 */

const STATES = [
  'running',
  'running-ls',
  'suspending-ls',
  'suspended',
  'suspended-ls',
  'suspended-ext',
  'suspended-ext-ls',
  'resetting',
  'resetting-ls',
  'debugging',
  'debugging-ls',
  'saving',
  'off',
  'off-ls',
  'fatal-error',
  'fatal-error-ls',
  'guru-meditation',
  'guru-meditation-ls',
] as const;
/** States of a machine, as VirtualBox names them. */
export type MachineState = (typeof STATES)[number];
export const MACHINE_STATES: readonly MachineState[] = STATES;

export const MACHINE_EVENTS = [
  'live-save',
  'passes-done',
  'passes-failed',
  'stopped',
  'final-pass',
  'save',
  'saved',
  'save-failed',
  'suspend',
  'suspend-ext',
  'resume',
  'reset',
  'reset-to-running',
  'reset-to-suspended',
  'debug',
  'power-off',
  'fatal-error',
  'guru-meditation',
] as const;
/** Events of a machine. */
export type MachineEvent = (typeof MACHINE_EVENTS)[number];

const trouble = { 'power-off': 'off', 'fatal-error': 'fatal-error', 'guru-meditation': 'guru-meditation' } as const;
const troubleLs = {
  'power-off': 'off-ls',
  'fatal-error': 'fatal-error-ls',
  'guru-meditation': 'guru-meditation-ls',
} as const;

/**
 * The next state for each event; events that are not listed are refused. Source: VM.cpp, vmR3TrySetState, and
 * vmR3SaveTeleport.
 */
export const TRANSITIONS: Readonly<Record<MachineState, Partial<Record<MachineEvent, MachineState>>>> = {
  running: {
    'live-save': 'running-ls',
    suspend: 'suspended',
    'suspend-ext': 'suspended-ext',
    reset: 'resetting',
    debug: 'debugging',
    ...trouble,
  },
  'running-ls': {
    'passes-done': 'suspending-ls',
    'passes-failed': 'running',
    suspend: 'suspended-ls',
    'suspend-ext': 'suspended-ext-ls',
    reset: 'resetting-ls',
    debug: 'debugging-ls',
    ...troubleLs,
  },
  'suspending-ls': {
    stopped: 'suspended-ls',
    'passes-failed': 'running',
    'fatal-error': 'fatal-error-ls',
    'guru-meditation': 'guru-meditation-ls',
  },
  suspended: { save: 'saving', resume: 'running', reset: 'resetting', 'power-off': 'off' },
  'suspended-ls': {
    'passes-done': 'suspended-ls',
    'passes-failed': 'suspended',
    'final-pass': 'saving',
    resume: 'running-ls',
    'power-off': 'off-ls',
  },
  'suspended-ext': { save: 'saving', resume: 'running', 'power-off': 'off' },
  'suspended-ext-ls': {
    'passes-done': 'suspended-ext-ls',
    'passes-failed': 'suspended-ext',
    'final-pass': 'saving',
    resume: 'running-ls',
    'power-off': 'off-ls',
  },
  resetting: {
    'reset-to-running': 'running',
    'reset-to-suspended': 'suspended',
    'guru-meditation': 'guru-meditation',
  },
  'resetting-ls': {
    'reset-to-running': 'running-ls',
    'passes-failed': 'resetting',
    'guru-meditation': 'guru-meditation-ls',
  },
  debugging: { resume: 'running', 'power-off': 'off', 'guru-meditation': 'guru-meditation' },
  'debugging-ls': {
    'passes-done': 'debugging-ls',
    'passes-failed': 'debugging',
    resume: 'running-ls',
    'power-off': 'off-ls',
    'guru-meditation': 'guru-meditation-ls',
  },
  saving: { saved: 'suspended', 'save-failed': 'suspended' },
  off: {},
  'off-ls': { 'passes-done': 'off', 'passes-failed': 'off' },
  'fatal-error': { 'power-off': 'off' },
  'fatal-error-ls': { 'passes-done': 'fatal-error', 'passes-failed': 'fatal-error', 'power-off': 'off-ls' },
  'guru-meditation': { 'power-off': 'off' },
  'guru-meditation-ls': { 'passes-done': 'guru-meditation', 'passes-failed': 'guru-meditation', 'power-off': 'off-ls' },
};

/** @throws UsageError `bad-machine-state` where the state knows no such event */
export function nextMachineState(state: MachineState, event: MachineEvent): MachineState {
  const next = TRANSITIONS[state][event];
  if (!next)
    throw new UsageError(
      'bad-machine-state',
      `Cannot ${event} a machine: it is ${state}`,
      {},
      'VERR_VM_INVALID_VM_STATE',
    );
  return next;
}

/** States in which the guest executes. */
export function isExecuting(state: MachineState): boolean {
  return state === 'running' || state === 'running-ls';
}

/** End of the live part of a save, by the state of the machine after it (live-save.md 7). */
export type LiveEnd = 'suspend' | 'go-on' | 'try-again' | { vboxCode: string };

const LIVE_ENDS: Partial<Record<MachineState, LiveEnd>> = {
  'running-ls': 'suspend',
  'suspended-ls': 'go-on',
  'suspended-ext-ls': 'go-on',
  'debugging-ls': 'try-again',
  'off-ls': { vboxCode: 'VERR_SSM_LIVE_POWERED_OFF' },
  'fatal-error-ls': { vboxCode: 'VERR_SSM_LIVE_FATAL_ERROR' },
  'guru-meditation-ls': { vboxCode: 'VERR_SSM_LIVE_GURU_MEDITATION' },
};

/** @throws UsageError `bad-machine-state` in a state that no live save leads to */
export function liveEnd(state: MachineState): LiveEnd {
  const end = LIVE_ENDS[state];
  if (!end)
    throw new UsageError(
      'bad-machine-state',
      `Cannot end the live part of a save: the machine is ${state}`,
      {},
      'VERR_VM_INVALID_VM_STATE',
    );
  return end;
}
