import type { MigrationEvent, ProgressFigures } from '../../migrations/report/report.ts';

/** Progress of a migration under way. */
export interface MigrationStatus {
  /** HOST:PORT of the target. */
  to: string;
  phase: 'connects' | 'sends' | 'stands still' | 'handed over' | 'link lost';
  /** Start; milliseconds since 1970. */
  since: number;
  /** null before the first pages have left. */
  progress: ProgressFigures | null;
}

const PHASES: Readonly<Partial<Record<MigrationEvent['event'], MigrationStatus['phase']>>> = {
  connected: 'sends',
  resumed: 'sends',
  paused: 'stands still',
  'handed-over': 'handed over',
  'link-lost': 'link lost',
};

/** Updates the status by an event. */
export function updateStatus(status: MigrationStatus, event: MigrationEvent): void {
  status.phase = PHASES[event.event] ?? status.phase;
  if (event.event === 'progress') status.progress = event.progress;
}

/** Bytes that are left if nothing more gets dirty. */
export function remainingBytes({ leftMs, rate }: ProgressFigures): number {
  const bytes = (leftMs[0] * rate) / 1000;
  return Number.isFinite(bytes) ? Math.round(bytes) : 0;
}
