import type { GuestPhys, GuestVirt } from '../../../formats/sizes.ts';
import type { HandlerAnswer } from './handler-list.ts';

/** Handlers of virtual addresses, seen through the physical bytes that they watch at present. */
export interface VirtualWatch {
  /** Whether any page is watched; to be asked first. */
  readonly isActive: boolean;
  /** The `HandlerState` that virtual handlers need on a page. */
  stateOf(frame: number): number;
  /** The first address after `gcPhys` on its page at which a handler begins or ends; Infinity if there is none. */
  borderAfter(gcPhys: GuestPhys): number;
  /**
   * Calls the handler of bytes between two borders; of several, the handler of the virtual address used.
   * @param through the virtual address of the first byte
   * @returns the handler's answer; undefined if no handler intercepts such an access
   */
  call(
    access: 'read' | 'write',
    gcPhys: GuestPhys,
    bytes: Uint8Array,
    through: GuestVirt | undefined,
  ): HandlerAnswer | undefined;
}
