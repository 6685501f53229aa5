import { describe, expect, it } from 'vitest';
import { UsageError } from '../../formats/errors.ts';
import {
  isExecuting,
  liveEnd,
  MACHINE_EVENTS,
  MACHINE_STATES,
  type MachineEvent,
  type MachineState,
  nextMachineState,
  TRANSITIONS,
} from './machine-states.ts';

/** Follows events from a state. */
function stateAfter(state: MachineState, ...events: MachineEvent[]): MachineState {
  return events.reduce(nextMachineState, state);
}

describe('machine states', () => {
  it.each(MACHINE_STATES.flatMap((state) => MACHINE_EVENTS.map((event) => [state, event] as const)))(
    '%s on %s goes where the table says, or refuses',
    (state, event) => {
      const next = TRANSITIONS[state][event];
      if (next) expect(nextMachineState(state, event)).toBe(next);
      else expect(() => nextMachineState(state, event)).toThrow(`Cannot ${event} a machine: it is ${state}`);
    },
  );

  it('save a running machine live: passes, suspend, final pass', () => {
    expect(stateAfter('running', 'live-save')).toBe('running-ls');
    expect(stateAfter('running', 'live-save', 'passes-done', 'stopped', 'final-pass')).toBe('saving');
    expect(stateAfter('running', 'live-save', 'passes-done', 'stopped', 'final-pass', 'saved', 'resume')).toBe(
      'running',
    );
  });

  it('go back to the plain form when the live part fails or is cancelled', () => {
    for (const state of MACHINE_STATES.filter((name) => name.endsWith('-ls') && name !== 'suspending-ls')) {
      expect(nextMachineState(state, 'passes-failed')).toBe(state.replace(/-ls$/, ''));
    }
  });

  it('leave no live form but through the end of the live part', () => {
    for (const [state, events] of Object.entries(TRANSITIONS)) {
      for (const [event, next] of Object.entries(events)) {
        if (state.endsWith('-ls') && !next.endsWith('-ls'))
          expect(['passes-done', 'passes-failed', 'final-pass']).toContain(event);
        if (!state.endsWith('-ls') && next.endsWith('-ls')) expect([state, event]).toEqual(['running', 'live-save']);
      }
    }
  });

  it('never execute while saving or suspending', () => {
    expect(MACHINE_STATES.filter(isExecuting)).toEqual(['running', 'running-ls']);
  });

  it('tell how the live part ended', () => {
    expect(liveEnd('running-ls')).toBe('suspend');
    expect(liveEnd('suspended-ls')).toBe('go-on');
    expect(liveEnd('debugging-ls')).toBe('try-again');
    expect(liveEnd('off-ls')).toEqual({ vboxCode: 'VERR_SSM_LIVE_POWERED_OFF' });
    expect(liveEnd('fatal-error-ls')).toEqual({ vboxCode: 'VERR_SSM_LIVE_FATAL_ERROR' });
    expect(liveEnd('guru-meditation-ls')).toEqual({ vboxCode: 'VERR_SSM_LIVE_GURU_MEDITATION' });
    expect(() => liveEnd('running')).toThrow(UsageError);
  });
});
