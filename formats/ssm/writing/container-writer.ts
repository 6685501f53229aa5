import type { ContainerFormat, ContainerHeader, UnitHeader } from '../container.ts';

/** What a unit's header is written from. */
export type NewUnit = Pick<UnitHeader, 'name' | 'instance' | 'version' | 'pass'>;

/** What a file header is written from. */
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
   * One item of payload, `bytes[at, at + length)`, at most 64 KiB, as VirtualBox's SSMR3PutMem takes it: small ones are
   * gathered, large ones compressed in steps of 4 KiB.
   */
  put(bytes: Uint8Array, at?: number, length?: number): void;
  /**
   * A block of payload in the encoding it already has, of `size` bytes when decoded (`Encoding`).
   * @returns false, and nothing written, where this container can't hold the block so
   */
  putBlock(encoding: number, bytes: Uint8Array, at: number, length: number, size: number): boolean;
  endUnit(): void;
  flush(): Promise<void>;
  /** Ends the container. */
  finish(): Promise<void>;
}

/** Whether pages with content are compressed in the file. */
export type Compression = 'lzf' | 'none';
