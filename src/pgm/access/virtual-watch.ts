import type { GuestPhys, GuestVirt } from '../../../formats/sizes.ts';
import type { HandlerAnswer } from './handler-list.ts';

/** Handlers of virtual addresses as the door to memory sees them: by the physical bytes that they watch now. */
export interface VirtualWatch {
  /** Some page is watched: asked before anything else. */
  readonly isActive: boolean;
  /** What virtual handlers ask of a page: a `HandlerState`. */
  stateOf(frame: number): number;
  /** The first address after `gcPhys` at which a handler begins or ends, on its page; Infinity where there is none. */
  borderAfter(gcPhys: GuestPhys): number;
  /**
   * Calls the handler of bytes between two borders; of several, the one of the virtual address that was used.
   * @param through the virtual address of the first byte
   * @returns its answer; undefined where none wants to see such an access
   */
  call(
    access: 'read' | 'write',
    gcPhys: GuestPhys,
    bytes: Uint8Array,
    through: GuestVirt | undefined,
  ): HandlerAnswer | undefined;
}
