import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openFile } from '../../../formats/files/source.ts';
import { verify } from '../../../src/saved-state/verify/verify.ts';
import { runProgram, type Score, type VirtualBox } from '../../../src/testing/virtualbox.ts';
import { RealMachine } from '../../testing/real-machine.ts';

/** Port at which machines of the campaign wait; one at a time. */
export const WAITING_PORT = 17_411;
/** States of a machine that has left. */
export const OFF = ['poweroff', 'teleported'] as const;

const savkit = fileURLToPath(new URL('../../../cli/main.js', import.meta.url));

/** Means of a campaign with real machines. */
export interface CampaignMeans {
  readonly virtualBox: VirtualBox;
  readonly score: Score;
  /** Folder for its files. */
  readonly folder: string;
}

/** Two equal machines in the real VirtualBox, `a` and `b`, which a campaign moves to and fro, and its checks. */
export class MachineTwins {
  readonly means: CampaignMeans;
  readonly mebibytes: number;
  readonly a: RealMachine;
  readonly b: RealMachine;

  static async make(means: CampaignMeans, mebibytes: number): Promise<MachineTwins> {
    const make = (twin: string) => RealMachine.make(means.virtualBox, `savkit-tele-${mebibytes}${twin}`, mebibytes);
    return new MachineTwins(means, mebibytes, await make('a'), await make('b'));
  }

  private constructor(means: CampaignMeans, mebibytes: number, a: RealMachine, b: RealMachine) {
    this.means = means;
    this.mebibytes = mebibytes;
    this.a = a;
    this.b = b;
  }

  check(what: string, ok: boolean, details = ''): boolean {
    return this.means.score.check(`${this.mebibytes} MiB: ${what}`, ok, details);
  }

  path(name: string): string {
    return join(this.means.folder, `${this.mebibytes}-${name}`);
  }

  async stop(): Promise<void> {
    await this.a.stop();
    await this.b.stop();
  }

  /** Runs a savkit command to its end. @returns its words */
  async savkit(...words: string[]): Promise<string> {
    return (await runProgram(process.execPath, [savkit, ...words])).output;
  }

  async checkFile(path: string, what: string): Promise<void> {
    const source = await openFile(path);
    const { verdict, findings } = await verify(source);
    await source.close();
    this.check(`${what} is whole`, verdict === 'whole' && findings.length === 0, JSON.stringify(findings[0]));
  }

  /** Checks a copy of machine `a`, which stands still, against a dump by VirtualBox; removes the copy. */
  async compareWithDump(path: string): Promise<void> {
    const [dump, extracted] = [this.path('dump.elf'), this.path('extracted.elf')];
    await this.a.dump(dump);
    await this.checkFile(path, 'the copy');
    await this.savkit('extract', path, '--format', 'vbox-core', '-o', extracted, '--force');
    await this.compareCores(dump, extracted, 'its memory and registers are those of the dump');
    for (const file of [path, dump, extracted]) rmSync(file, { force: true });
  }

  /** Checks that two dumps have the same memory and registers. */
  async compareCores(dump: string, other: string, what: string): Promise<void> {
    const { ok, output } = await this.means.virtualBox.run('corecmp.py', [dump, other, '--registers']);
    this.check(what, ok, output);
  }
}
