import type { FileResult } from '../process/document.ts';

/** What is known of a file beside its result. */
export interface FileFacts {
  /** In bytes; null for what is no file. */
  size: number | null;
  /** When the file was last written; ISO 8601, UTC. Null for what is no file. */
  modified: string | null;
  /** Found in a folder, not named. */
  isFound: boolean;
  /** The word under which the file is counted. */
  outcome: string;
}

/** What `--ndjson` prints for one file, and a journal keeps. */
export interface FileEvent extends FileResult, FileFacts {
  event: 'file';
  command: string;
  /** When the file was done; ISO 8601, UTC. */
  time: string;
}

export function fileEvent(command: string, facts: FileFacts, result: FileResult): FileEvent {
  const { size, modified, isFound, outcome } = facts;
  return { event: 'file', command, time: new Date().toISOString(), size, modified, isFound, outcome, ...result };
}
