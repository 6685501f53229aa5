import { UsageError } from '../../formats/errors.ts';
import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import type { AddressSpaceMemory } from './address-space.ts';

/** Read-only memory, which is read page by page. */
export abstract class PageReader implements AddressSpaceMemory {
  abstract holdsTables(gcPhys: GuestPhys): boolean;

  /** The 4096 bytes of a page, borrowed; zeros where there is no memory. @param frame page number */
  protected abstract pageOf(frame: number): Uint8Array;

  /** Reads bytes, which are zeros where there is no memory. */
  read(gcPhys: GuestPhys, target: Uint8Array): void {
    for (let done = 0; done < target.length; ) {
      const at = gcPhys + done;
      const from = at % PAGE_SIZE;
      const part = this.pageOf(Math.floor(at / PAGE_SIZE)).subarray(from, from + target.length - done);
      target.set(part, done);
      done += part.length;
    }
  }

  readU32(gcPhys: GuestPhys): number {
    const bytes = new Uint8Array(4);
    this.read(gcPhys, bytes);
    return new DataView(bytes.buffer).getUint32(0, true);
  }

  /** @throws UsageError `read-only` always */
  write(): never {
    throw new UsageError('read-only', 'Cannot write guest memory: it is read from a file');
  }

  writeU32(): never {
    return this.write();
  }
}
