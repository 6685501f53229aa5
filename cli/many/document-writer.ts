import type { Finding } from '../../src/saved-state/reading/findings.ts';
import { documentOf, type FileResult } from '../process/document.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { CommonOptions } from '../process/run-command.ts';
import { showJson, showJsonPart } from '../terminal/print.ts';
import type { FileEvent } from './file-event.ts';
import type { Summary } from './summary.ts';

/** Prints results for programs one by one, as events or as parts of one document, without keeping them. */
export class DocumentWriter {
  readonly #command: string;
  readonly #mode: 'events' | 'document' | 'none';
  readonly #output: string | undefined;
  #beside = false;
  #files = 0;

  constructor(command: string, { json, ndjson, output }: CommonOptions) {
    this.#command = command;
    this.#mode = ndjson ? 'events' : json ? 'document' : 'none';
    this.#output = output;
  }

  async file(event: FileEvent, result: FileResult): Promise<void> {
    if (this.#mode === 'events') await showJson(event, { isEvent: true });
    if (this.#mode !== 'document') return;
    // With `--output -`, stdout takes the bytes of a file, so the document goes to stderr.
    if (this.#files++ === 0) this.#beside = this.#output === '-' && result.exitCode !== ExitCode.USAGE;
    const head = this.#files === 1 ? '{\n  "files": [\n' : ',\n';
    await showJsonPart(`${head}${indented(result, 4)}`, this.#beside);
  }

  async end(exitCode: ExitCode, summary: Summary, error: Finding | null = null): Promise<void> {
    const { files, ...document } = { ...documentOf(this.#command, exitCode, [], error), summary };
    if (this.#mode === 'events') await showJson({ event: 'end', ...document, files }, { isEvent: true });
    if (this.#mode !== 'document') return;
    if (this.#files === 0) return showJson({ ...document, files });
    await showJsonPart(`\n  ],\n${indented(document, 0).slice(2)}\n`, this.#beside);
  }
}

function indented(value: object, columns: number): string {
  return JSON.stringify(value, null, 2).replace(/^/gm, ' '.repeat(columns));
}
