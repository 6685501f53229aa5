import { countText } from '../../formats/amounts.ts';
import { entryOf } from '../../formats/entry-of.ts';
import type { MigrationForecast } from '../../migrations/policy/forecast.ts';
import type { MigrationLimits } from '../../migrations/policy/limits.ts';
import type {
  DowntimePhases,
  LookBack,
  MigrationEvent,
  MigrationReport,
  ProgressFigures,
  ProofReport,
  RoundReport,
} from '../../migrations/report/report.ts';
import { sizeText } from '../terminal/size-text.ts';
import { bad, good } from '../terminal/styles.ts';
import { table } from '../terminal/table.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';
import type { LiveReport } from '../text/live-report.ts';

/** JSON knows no infinity: null stands for it. */
type LimitsInJson = { [K in keyof MigrationLimits]: MigrationLimits[K] | null };

export function secondsText(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** Reports an event to people, or programs. */
export function tellEvent(report: LiveReport, event: MigrationEvent): void {
  const { event: name, ...data } = event;
  if (event.event === 'progress') {
    report.update(
      'progress',
      () => progressLine(event.progress),
      () => data,
    );
    return;
  }
  if (event.event === 'disks') {
    report.update(
      'disks',
      () => line`disks: ${sizeText(event.bytes)} of ${sizeText(event.of)} copied`,
      () => data,
    );
    return;
  }
  report.note(name, eventText(event), data);
}

function eventText(event: MigrationEvent): TerminalText {
  switch (event.event) {
    case 'connected':
      return event.attempt === 1
        ? line`The target has accepted the machine`
        : line`Connected again (attempt ${event.attempt}); the migration goes on`;
    case 'link-lost':
      return line`Link lost: ${event.message}; tries again`;
    case 'resumed':
      return line`The machine runs on here: ${event.because}`;
    case 'looked-back':
      return event.found.lostPages === 0
        ? NO_TEXT
        : line`${wereText(event.found.lostPages)} lost, the first is ${event.found.lost[0]}`;
    case 'lost-pages':
      return line`${wereText(event.count)} different from the source's, the first is ${event.first}; sent again`;
    default:
      return NO_TEXT;
  }
}

const BAR = 20;

function progressLine({ round, ofRound, total, rate, dirtyRate, downtimeMs, leftMs }: ProgressFigures): TerminalText {
  const bar = (share: number) => `[${'#'.repeat(Math.round(share * BAR)).padEnd(BAR, '.')}]`;
  const left = `${secondsText(leftMs[0])} to ${secondsText(leftMs[1])} left`;
  const bars = line`round ${round} ${bar(ofRound)} total ${bar(total)} ${Math.round(total * 100)}%`;
  const rates = line`${sizeText(rate)}/s, dirtied ${sizeText(dirtyRate)}/s`;
  return line`${bars}  ${rates}, downtime now ${secondsText(downtimeMs)}, ${left}`;
}

/** @param file that the machine was loaded from, so that it did not run here */
export function reportText(report: MigrationReport, file?: string): TerminalText {
  const { outcome, machine, because, downtimeMs, totalMs, bytes, code, proof } = report;
  const isOver = outcome === 'handed-over';
  const stood = file === undefined ? `stood still for ${secondsText(downtimeMs)}, ` : '';
  const head = isOver
    ? line`${machine}: ${good(arrivedText(report))}; ${stood}${sizeText(bytes)} sent in ${secondsText(totalMs)}`
    : line`${machine}: ${bad(stayedText(report, file))}: ${because}`;
  const text = [head];
  if (isOver)
    text.push(indent(file === undefined ? downtimeText(report.downtime) : `do not start it from ${file} as well`));
  else {
    const wayOut = entryOf(WAYS_OUT, code ?? '');
    if (wayOut !== undefined) text.push(indent(wayOut));
  }
  if (report.rounds.length > 0) text.push(roundTable(report.rounds));
  if (proof) {
    const lost =
      proof.lostPages > 0 ? `; ${countText(proof.lostPages, 'page')} had to be sent again, first ${proof.lost[0]}` : '';
    text.push(indent(`${proofText(proof)} (${secondsText(proof.ms)})${lost}`));
    if (proof.afterwards) text.push(indent(lookBackText(proof.afterwards, because)));
    else if (isOver && because !== '') text.push(indent(line`not compared once more after it: ${because}`));
  }
  return lines(text);
}

/** Remedies, by the code of the error that ended a migration. */
const WAYS_OUT: Readonly<Record<string, string>> = {
  'time-limit':
    'ways out: a longer stop (--max-downtime MS), a guest slowed until it fits (--on-time-limit throttle), a ' +
    'stop however long it takes (--on-time-limit force), more time (--time-limit S); --dry-run foretells each',
  'too-many-stops':
    'the link lasts for rounds, but not for a hand-over: try again over a better one, or with --streams 4',
  'link-lost': 'try again when the link is back; --resume-within S waits for it longer',
  'peer-silent': 'try again when the target answers; --resume-within S waits for it longer',
};

function stayedText({ outcome, paused, stays }: MigrationReport, file: string | undefined): string {
  if (outcome === 'undecided') return 'stands still';
  if (stays === 'ended') return 'runs nowhere any more, as the process that ran it has ended';
  if (stays === 'standing-still') return 'stays here, and stands still';
  if (file !== undefined) return 'stays here';
  return paused ? 'stays here, paused as it was' : 'runs on here';
}

function wereText(pages: number): string {
  return pages === 1 ? '1 page was' : `${pages} pages were`;
}

/** The place and state of a machine that was handed over. */
function arrivedText({ paused, inFile }: MigrationReport): string {
  if (inFile) return 'is at the target, in a file; it does not run there';
  return paused ? 'is at the target, paused as it was here' : 'runs at the target';
}

/** Parts of the downtime. */
function downtimeText(phases: DowntimePhases): string {
  return `stood still for: ${Object.entries(phases)
    .map(([phase, ms]) => `${phase} ${secondsText(ms)}`)
    .join(', ')}`;
}

/** Result of comparing the source's memory once more after an audited proof. */
function lookBackText({ ms, lost, lostPages, keptIn }: LookBack, because: string): TerminalText {
  if (lostPages === 0) {
    const found = line`it equals the sealed memory, nothing was lost (${secondsText(ms)})`;
    return line`afterwards this side's memory, as it stood, was hashed once more: ${found}`;
  }
  const kept =
    keptIn === ''
      ? `it could not be kept as it was: ${because}`
      : `its state at the hand-over is in ${keptIn}: stop it there, and go on from this file`;
  return bad(
    `the machine runs at the target without writes to ${countText(lostPages, 'page')}, first ${lost[0]}; ${kept}`,
  );
}

/** The proof, and how far it reaches. */
function proofText({ mode, root, pages }: ProofReport): string {
  const over = `the hash ${root || '…'} over ${countText(pages, 'page')}`;
  switch (mode) {
    case 'full':
      return `proof full: both memories, standing still, have ${over}`;
    case 'compared':
      return `proof compared: this memory, standing still, and the target's, as hashed there, have ${over}`;
    case 'audited':
      return (
        `proof audited: both memories were hashed while the machine ran, and have ${over} if the tracking noted ` +
        'each write since'
      );
  }
}

const CODECS = ['zero', 'raw', 'same', 'delta', 'zstd'] as const;

/** Rounds, and below them the codecs of their pages. */
function roundTable(rounds: readonly RoundReport[]): TerminalText {
  const course = rounds.map(({ round, pages, bytes, ms, rate, dirtied, downtimeMs, paused, verdict }) => [
    round,
    pages,
    sizeText(bytes),
    secondsText(ms),
    `${sizeText(rate)}/s`,
    dirtied,
    paused ? '' : secondsText(downtimeMs),
    verdict,
  ]);
  const codings = rounds.map(({ round, skipped, codecs }) => [round, skipped, ...CODECS.map((codec) => codecs[codec])]);
  return lines([
    table(['round', 'pages', 'sent', 'time', 'rate', 'dirtied', 'downtime', 'then'], course),
    table(['round', 'equal', ...CODECS], codings),
  ]);
}

/** Limits as `--change` has left them. */
export function limitsText({
  maxDowntimeMs,
  stalledDowntimeMs,
  bandwidth,
  timeLimitMs,
  onTimeLimit,
}: LimitsInJson): string {
  const rate = bandwidth === null ? 'no limit' : `${sizeText(bandwidth)}/s`;
  const time = timeLimitMs === null ? 'none' : `${secondsText(timeLimitMs)}, then ${onTimeLimit}`;
  return (
    `may now stand still for ${maxDowntimeMs} ms, ${stalledDowntimeMs} ms when rounds get no better; bandwidth: ` +
    `${rate}; time limit: ${time}`
  );
}

export function forecastText(
  name: string,
  { converges, because, rounds, totalMs, bytes, downtimeMs, dirtyRate }: MigrationForecast & { dirtyRate: number },
  rate: number,
): TerminalText {
  const verdict = converges ? good('would come to an end') : bad('would not come to an end');
  return lines([
    line`${name}: ${verdict}: ${because}`,
    indent(
      `dirties ${sizeText(dirtyRate)}/s; over a link of ${sizeText(rate)}/s: ${countText(rounds, 'round')}, ` +
        `${sizeText(bytes)}, ${secondsText(totalMs)}, of these ${secondsText(downtimeMs)} standing still`,
    ),
  ]);
}
