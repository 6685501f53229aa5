import { systemDate } from '../../formats/world/waiting.ts';
import type { FileResult } from '../process/document.ts';

/** Facts about a file beside its result. */
export interface FileFacts {
  /** Size in bytes; null if it is no file. */
  size: number | null;
  /** Time of the last write, ISO 8601, UTC; null if it is no file. */
  modified: string | null;
  /** The file was found in a folder, not named by the user. */
  isFound: boolean;
  /** The word under which the file is counted. */
  outcome: string;
}

/** Record of one file, as `--ndjson` prints it and a journal keeps it. */
export interface FileEvent extends FileResult, FileFacts {
  event: 'file';
  command: string;
  /** Time at which the file was done, ISO 8601, UTC. */
  time: string;
}

export function fileEvent(command: string, facts: FileFacts, result: FileResult): FileEvent {
  const { size, modified, isFound, outcome } = facts;
  return { event: 'file', command, time: systemDate().toISOString(), size, modified, isFound, outcome, ...result };
}
