import type { PageHashes } from '../../machine/page-hashes.ts';
import type { PageSet } from '../../machine/page-set.ts';
import { MemoryScan } from './memory-scan.ts';
import type { RamFiles } from './ram-files.ts';

/** The memory of a guest as both sides of a migration read it: out of files, also by scanning threads. */
export abstract class GuestRam {
  protected readonly ram: RamFiles;
  protected readonly scan: MemoryScan;

  protected constructor(ram: RamFiles) {
    this.ram = ram;
    this.scan = new MemoryScan(ram);
  }

  /** Files that hold the guest's memory. */
  get ramPaths(): string[] {
    return this.ram.paths;
  }

  readPages(pages: Uint32Array, count: number, target: Uint8Array, at: number, held: Uint8Array): number {
    return this.ram.readPages(pages, count, target, at, held);
  }

  hashMemory(hashes: PageHashes): Promise<void> {
    return this.scan.learn(hashes);
  }

  findDiffering(known: PageHashes, into: PageSet): Promise<void> {
    return this.scan.find(known, into);
  }

  protected closeRam(): void {
    this.scan.close();
    this.ram.close();
  }
}
