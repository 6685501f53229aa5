import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { qemuSample } from '../../../src/testing/qemu-samples.ts';
import { STATES_FOLDER } from '../../../src/testing/states.ts';
import { runSavkit } from '../run-savkit.ts';
import type { Form } from './forms.ts';

const OLDER = Buffer.from('what was there before');
/** Names of the outputs that commands are given. */
const OUTPUTS = ['file', 'ram'];
const OTHER = '.other';
const FOLDERS = ['in', 'out', 'tmp'] as const;
/** Times in outputs; all are replaced by the same one, so that outputs can be compared. */
const TIME = /\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d\.\d{3}Z| \d\d:\d\d UTC)/g;

/** Folders for inputs, outputs and temporary files, and what is in them. */
export class Ground {
  readonly #root = mkdtempSync(join(tmpdir(), 'savkit-file-faults-'));
  /** Calls on files in here are watched. */
  readonly folder = join(this.#root, 'work');
  /** Folder for the files of the layer that watches. */
  readonly own = join(this.#root, 'own');
  readonly #stored = join(this.#root, 'stored');

  async prepare(): Promise<void> {
    for (const folder of [this.own, this.#stored]) mkdirSync(folder);
    const write = (name: string, bytes: Uint8Array) => writeFileSync(join(this.#stored, name), bytes);
    for (const name of ['own-long.sav', 'own-long-live.sav', 'own-pae.sav'])
      copyFileSync(join(STATES_FOLDER, name), join(this.#stored, name));
    for (const name of ['long-10.state', 'snap-10.qcow2', 'virsh-gzip-10.save']) write(name, qemuSample(name));
    for (const [name, whole] of [
      ['cut.sav', 'own-long.sav'],
      ['cut.state', 'long-10.state'],
    ]) {
      const bytes = readFileSync(join(this.#stored, whole));
      write(name, bytes.subarray(0, bytes.length / 2));
    }
    const image = qemuSample('virsh-gzip-10.save');
    write('domain.xml', image.subarray(92, image.indexOf(0, 92)));
    write('bytes', Buffer.alloc(5000, 'poked'));
    await this.#make('convert own-long.sav older.sav --container 1.2 --pgm 11 --allow-loss');
    await this.#make('manifest own-long.sav -o own-long.manifest');
  }

  async #make(words: string): Promise<void> {
    const { exitCode, stderr } = await runSavkit(words.split(' '), { cwd: this.#stored });
    if (exitCode !== 0) throw new Error(`${words} ended with ${exitCode}: ${stderr}`);
  }

  /** The words with their folders. */
  wordsOf(form: Form): string[] {
    return form.words
      .split(' ')
      .map((word) =>
        word.replace('IN/', `${join(this.folder, 'in')}/`).replace('OUT/', `${join(this.folder, 'out')}/`),
      );
  }

  /** Makes all as it is before a command. @returns the bytes at the output's place */
  fresh(form: Form, isThere: boolean): Buffer | undefined {
    rmSync(this.folder, { recursive: true, force: true });
    for (const name of FOLDERS) mkdirSync(join(this.folder, name), { recursive: true });
    for (const name of inputsOf(form)) {
      copyFileSync(join(this.#stored, name), join(this.folder, 'in', name));
      this.#giveOther(name, join('in', name));
    }
    if (form.inPlaceOf === undefined && !isThere) return undefined;
    const older = form.inPlaceOf === undefined ? OLDER : readFileSync(join(this.#stored, form.inPlaceOf));
    writeFileSync(join(this.folder, 'out/file'), older);
    if (form.inPlaceOf !== undefined) this.#giveOther(form.inPlaceOf, 'out/file');
    return older;
  }

  /**
   * Writes a file that takes the place of an input where a fault says so: another state, or the same with one byte
   * more.
   */
  #giveOther(name: string, path: string): void {
    const bytes = readFileSync(join(this.#stored, name === 'own-long.sav' ? 'own-pae.sav' : name));
    const other = name === 'own-long.sav' ? bytes : Buffer.concat([bytes, Buffer.alloc(1)]);
    writeFileSync(join(this.folder, `${path}${OTHER}`), other);
  }

  /** Inputs that are not as they were. */
  changedInputs(form: Form): string[] {
    const folder = join(this.folder, 'in');
    const others = readdirSync(folder).filter((name) => !inputsOf(form).includes(name) && !name.endsWith(OTHER));
    const changed = inputsOf(form).filter(
      (name) => !readFileSync(join(folder, name)).equals(readFileSync(join(this.#stored, name))),
    );
    return [...others, ...changed];
  }

  /** Outputs by their names; times in them are all the same. */
  outputs(): Map<string, Buffer> {
    const folder = join(this.folder, 'out');
    const names = readdirSync(folder).filter((name) => !name.endsWith(OTHER));
    return new Map(names.map((name) => [name, timeless(readFileSync(join(folder, name)))]));
  }

  /** Files beside the output, and in the folder of temporary files. */
  leftovers(): string[] {
    const beside = [...this.outputs().keys()].filter((name) => !OUTPUTS.includes(name));
    return [...beside, ...readdirSync(join(this.folder, 'tmp'))];
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

function inputsOf(form: Form): string[] {
  return [...form.words.matchAll(/IN\/([^\s:]+)/g)].map(([, name]) => name);
}

function timeless(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replace(TIME, '2000-01-01T00:00:00.000Z'), 'latin1');
}
