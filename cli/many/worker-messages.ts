import type { FileResult } from '../process/document.ts';
import type { OutputStyle } from '../terminal/print.ts';
import type { FileOptions } from './file-command.ts';

/** An environment variable that tells a process that it is a worker: its work comes through its channel. */
export const WORKER_VARIABLE = 'SAVKIT_FILE_WORKER';

/** The first message to a worker. */
export interface WorkerStart {
  command: string;
  options: FileOptions;
  /** Those whose names are in the options. */
  addresses: readonly string[];
  /** Of the terminal for which its texts are. */
  style: OutputStyle;
}

/** A file to work on, with what of the options is the file's own. */
export interface FileTask {
  file: string;
  /** Of a file with a name that hides a part of it. */
  address?: string;
  output?: string;
  force?: boolean;
}

/** What came of it. */
export interface FileAnswer {
  result: FileResult;
  text: string;
  told: string;
  word?: string;
}
