import { dirname } from 'node:path';
import { writeFileSink } from '../../formats/files/sink.ts';
import { shellWord } from '../../formats/values/shell-word.ts';
import { ensureFolder } from '../../migrations/hand-over/record-folder.ts';
import type { WakingQemu } from '../../migrations/wake/waking-qemu.ts';
import type { KeepFile } from '../control/keep-file.ts';
import type { Charge } from '../process/custody.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';

const LOADED_BY = 'This command loads it, paused, with its disks as they are now; type `cont` there to continue it:';

/** Custody of a woken machine that runs in a QEMU of this process: there is no other copy. */
export class WokenCharge implements Charge {
  readonly #qemu: WakingQemu;
  readonly #file: KeepFile;
  /** Command line of QEMU, the program first, without the arguments that load the state. */
  readonly #commandLine: readonly string[];

  constructor(qemu: WakingQemu, file: KeepFile, commandLine: readonly string[]) {
    this.#qemu = qemu;
    this.#file = file;
    this.#commandLine = commandLine;
  }

  isHeld(): boolean {
    return !this.#qemu.isOver;
  }

  ways(): TerminalText {
    const { pid } = this.#qemu;
    const saves = line`Another Ctrl-C, or SIGTERM, saves it to ${this.#file.path} and ends`;
    return line`The machine runs in QEMU, process ${pid}; \`kill ${pid}\` ends it. ${saves}`;
  }

  async save(): Promise<TerminalText> {
    const { path, force } = this.#file;
    try {
      await ensureFolder(dirname(path));
      await this.#qemu.whileItStands(() => writeFileSink(path, { force }, (sink) => this.#qemu.save(sink)));
    } catch (error) {
      if (this.#qemu.isOver) return NO_TEXT;
      throw error;
    }
    const words = [...this.#commandLine, '-incoming', `exec:cat ${shellWord(path)}`, '-monitor', 'stdio'];
    return lines([
      line`The machine is saved to ${path}. ${LOADED_BY}`,
      indent(line`${words.map(shellWord).join(' ')}`),
    ]);
  }
}
