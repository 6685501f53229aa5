import type { FileResult } from '../process/document.ts';
import type { OutputStyle } from '../terminal/print.ts';
import type { FileOptions } from './file-command.ts';

/** Environment variable that makes a process a worker, which gets its work through its IPC channel. */
export const WORKER_VARIABLE = 'SAVKIT_FILE_WORKER';

/** The first message to a worker. */
export interface WorkerStart {
  command: string;
  options: FileOptions;
  /** Addresses of files whose names are in the options. */
  addresses: readonly string[];
  /** Style of the terminal for which its texts are. */
  style: OutputStyle;
}

/** A file to work on, with the options of this file. */
export interface FileTask {
  file: string;
  /** Address of the file, if its name hides a part. */
  address?: string;
  output?: string;
  force?: boolean;
}

/** Result of the work on a file. */
export interface FileAnswer {
  result: FileResult;
  text: string;
  told: string;
  word?: string;
}
