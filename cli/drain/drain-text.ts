import { countText } from '../../formats/amounts.ts';
import { secondsText } from '../migration/migration-text.ts';
import { sizeText } from '../terminal/size-text.ts';
import { bad, good } from '../terminal/styles.ts';
import { table } from '../terminal/table.ts';
import { indent, line, lines, NO_TEXT, type Piece, type TerminalText } from '../terminal/terminal-text.ts';
import type { LiveReport } from '../text/live-report.ts';
import type { DrainEvent, DrainedMachine } from './drain.ts';
import type { DryRun } from './dry-run.ts';
import type { DrainTarget } from './targets.ts';

const AFTER_A_STOP =
  'savkit history --open, and then savkit migrate --resolve with the records of both sides, tell that; ' +
  'afterwards drain --resume goes on';

const OUTCOMES: Readonly<Record<DrainedMachine['outcome'], () => Piece>> = {
  moved: () => good('moved'),
  stayed: () => bad('stays here'),
  unknown: () => bad('look at it'),
};

/** Outcome of all machines, for people. */
export function drainText(
  machines: readonly DrainedMachine[],
  targets: readonly DrainTarget[],
  halted: string | undefined,
): TerminalText {
  const rows = machines.map(({ name, bytes, outcome, to, downtimeMs, because }) => [
    name,
    bytes > 0 ? sizeText(bytes) : '',
    OUTCOMES[outcome](),
    outcome === 'moved' ? (to ?? '') : '',
    downtimeMs === undefined ? '' : secondsText(downtimeMs),
    because,
  ]);
  const count = (outcome: DrainedMachine['outcome']) => machines.filter((each) => each.outcome === outcome).length;
  const where = line`${count('moved')} moved, ${count('stayed')} here, ${count('unknown')} to be looked at`;
  return lines([
    ...(rows.length > 0 ? [table(['machine', 'memory', '', 'to', 'stood still', 'because'], rows)] : []),
    line`${countText(machines.length, 'machine')}: ${where}`,
    ...targets
      .filter(({ stoppedBecause }) => stoppedBecause !== undefined)
      .map(({ to, stoppedBecause }) => line`${to} ${bad('got no more machines')}: ${stoppedBecause ?? ''}`),
    ...(halted === undefined ? [] : [line`${bad('Stopped')}: nobody knows where ${halted} is. ${AFTER_A_STOP}`]),
  ]);
}

/** Plan of a drain, for people. */
export function dryRunText({ moves, unanswered, targets }: DryRun): TerminalText {
  const rows = moves.map(({ name, bytes, to, forecast }) => [
    name,
    sizeText(bytes),
    to ?? bad('nowhere'),
    forecast.totalMs === null ? '' : secondsText(forecast.totalMs),
    forecast.downtimeMs === null ? '' : secondsText(forecast.downtimeMs),
    forecast.isPossible ? good('can go') : bad(`cannot go: ${forecast.because}`),
  ]);
  const head = ['machine', 'memory', 'to', 'takes', 'stands still', ''];
  const none = unanswered.length > 0 ? [] : [line`no machines`];
  return lines([
    ...(rows.length > 0 ? [table(head, rows)] : none),
    ...unanswered.map(({ machine, because }) => line`${machine}: ${bad(because)}`),
    ...targets.map(({ to, room, because }) =>
      indent(
        because !== null
          ? line`${to}: ${bad(because)}`
          : room
            ? line`${to}: ${sizeText(room.bytes)} free, takes ${countText(room.machines, 'machine')} now`
            : line`${to}: answers, and does not tell how much memory it has`,
      ),
    ),
  ]);
}

/** Reports an event of a drain. */
export function tellDrainEvent(report: LiveReport, event: DrainEvent): void {
  const { event: name, ...data } = event;
  if (event.event === 'moving') {
    const { told } = event;
    const { total } = (told.progress ?? {}) as { total?: number };
    const share = `${Math.round(100 * (total ?? 0))} %`;
    const text = () => line`${event.name} → ${event.to}: ${share}`;
    if (told.event === 'progress') report.update('moving', text, () => data);
    else report.note('moving', NO_TEXT, data);
    return;
  }
  report.note(name, textOf(event), data);
}

function textOf(event: Exclude<DrainEvent, { event: 'moving' }>): TerminalText {
  switch (event.event) {
    case 'started':
      return line`${event.name}: goes to ${event.to}`;
    case 'waiting':
      return line`${event.name}: waits: ${event.because}`;
    case 'target-stopped':
      return line`${event.to} gets no more machines: ${event.because}`;
    case 'finished':
      return line`${event.name}: ${OUTCOMES[event.outcome]()}${event.because === '' ? '' : `: ${event.because}`}`;
  }
}
