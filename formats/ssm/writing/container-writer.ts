import type { ContainerFormat, ContainerHeader, UnitHeader } from '../container.ts';

/** Facts for a unit's header. */
export type NewUnit = Pick<UnitHeader, 'name' | 'instance' | 'version' | 'pass'>;

/** Facts for a file header. */
export type NewContainer = Pick<ContainerHeader, 'release' | 'hostBits' | 'widths' | 'live' | 'registeredUnits'>;

/**
 * Writes a container front to back: `beginUnit`, `put` …, `endUnit`, and at last `finish`.
 *
 * `put` and `putBlock` only fill a buffer; after each, `await flush()` when `isFull`.
 */
export interface ContainerWriter {
  readonly format: ContainerFormat;
  readonly isFull: boolean;
  beginUnit(unit: NewUnit): void;
  /**
   * Writes one item of payload, `bytes[at, at + length)`, at most 64 KiB, as VirtualBox's SSMR3PutMem does: small items
   * are gathered, large ones compressed in steps of 4 KiB.
   */
  put(bytes: Uint8Array, at?: number, length?: number): void;
  /**
   * Writes a block of payload in its present encoding (`Encoding`), with `size` bytes when decoded.
   * @returns false if this container can't hold that encoding; nothing is written then
   */
  putBlock(encoding: number, bytes: Uint8Array, at: number, length: number, size: number): boolean;
  endUnit(): void;
  flush(): Promise<void>;
  /** Ends the container. */
  finish(): Promise<void>;
}

export const COMPRESSIONS = ['lzf', 'none'] as const;
/** Whether pages with content are compressed in the file. */
export type Compression = (typeof COMPRESSIONS)[number];
