import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { DEVICE_PAGES, type NaiveHandler, type NaiveMachine, Refused, ROMS } from './naive-machine.ts';

// Operations of devices and others on the naive machine. Each function refuses as the specification says, in its order.

function framesOf(start: number, end: number): number[] {
  const frames: number[] = [];
  for (let frame = Math.floor(start / PAGE_SIZE); frame * PAGE_SIZE < end; frame++) frames.push(frame);
  return frames;
}

function refuseIf(condition: boolean, code: string): void {
  if (condition) throw new Refused(code);
}

function byStart(machine: NaiveMachine, start: number): NaiveHandler {
  const handler = machine.handlers.find((each) => each.start === start && each.kind !== 'rom');
  if (!handler) throw new Refused('VERR_PGM_HANDLER_NOT_FOUND');
  return handler;
}

export function registerHandler(machine: NaiveMachine, handler: NaiveHandler): void {
  const { kind, start, end } = handler;
  refuseIf(end - start < 2, 'VERR_INVALID_PARAMETER');
  placeHandler(machine, handler, kind, start, end);
}

function placeHandler(machine: NaiveMachine, handler: NaiveHandler, kind: string, start: number, end: number): void {
  refuseIf(kind !== 'write' && (start % PAGE_SIZE !== 0 || end % PAGE_SIZE !== 0), 'VERR_INVALID_PARAMETER');
  const frames = framesOf(start, end);
  const range = machine.rangeOf(frames[0]);
  refuseIf(
    range === undefined || frames.some((frame) => machine.rangeOf(frame) !== range),
    'VERR_PGM_HANDLER_PHYSICAL_NO_RAM_RANGE',
  );
  refuseIf(
    machine.handlers.some((other) => other.start < end && start < other.end),
    'VERR_PGM_HANDLER_PHYSICAL_CONFLICT',
  );
  machine.handlers.push(handler);
  for (const frame of frames) machine.off.delete(frame);
}

export function deregisterHandler(machine: NaiveMachine, start: number): void {
  const handler = byStart(machine, start);
  machine.handlers = machine.handlers.filter((each) => each !== handler);
  for (const frame of framesOf(handler.start, handler.end)) machine.off.delete(frame);
}

export function modifyHandler(machine: NaiveMachine, start: number, newStart: number, newEnd: number): void {
  const handler = byStart(machine, start);
  deregisterHandler(machine, start);
  refuseIf(newEnd <= newStart, 'VERR_INVALID_PARAMETER');
  placeHandler(machine, { ...handler, start: newStart, end: newEnd }, handler.kind, newStart, newEnd);
}

export function splitHandler(machine: NaiveMachine, start: number, at: number): void {
  const handler = byStart(machine, start);
  refuseIf(at <= start || at >= handler.end, 'VERR_INVALID_PARAMETER');
  refuseIf(handler.kind !== 'write' && at % PAGE_SIZE !== 0, 'VERR_INVALID_PARAMETER');
  machine.handlers.push({ ...handler, start: at });
  handler.end = at;
}

export function joinHandlers(machine: NaiveMachine, start1: number, start2: number): void {
  const first = byStart(machine, start1);
  const second = byStart(machine, start2);
  refuseIf(first.end !== second.start, 'VERR_INVALID_PARAMETER');
  // Parts of one handler have its callback.
  refuseIf(first.name !== second.name, 'VERR_ACCESS_DENIED');
  machine.handlers = machine.handlers.filter((each) => each !== second);
  first.end = second.end;
  for (const frame of framesOf(first.start, first.end)) machine.off.delete(frame);
}

export function switchOff(machine: NaiveMachine, start: number, address: number): void {
  const handler = byStart(machine, start);
  const frame = Math.floor(address / PAGE_SIZE);
  refuseIf(!framesOf(handler.start, handler.end).includes(frame), 'VERR_INVALID_PARAMETER');
  refuseIf(handler.kind === 'mmio', 'VERR_ACCESS_DENIED');
  machine.off.add(frame);
}

export function resetHandler(machine: NaiveMachine, start: number): void {
  const handler = byStart(machine, start);
  for (const frame of framesOf(handler.start, handler.end)) {
    machine.off.delete(frame);
    machine.aliases.delete(frame);
  }
}

export function alias(machine: NaiveMachine, start: number, address: number, target: number): string {
  const handler = byStart(machine, start);
  const frame = Math.floor(address / PAGE_SIZE);
  refuseIf(!framesOf(handler.start, handler.end).includes(frame), 'VERR_INVALID_PARAMETER');
  refuseIf(handler.kind !== 'mmio', 'VERR_ACCESS_DENIED');
  const targetFrame = Math.floor(target / PAGE_SIZE);
  refuseIf(machine.rangeOf(targetFrame) === undefined, 'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS');
  const over = machine.over.get(targetFrame);
  if (over?.kind !== 'mmio2') throw new Refused('VERR_PGM_PHYS_NOT_MMIO2');
  if (machine.aliases.get(frame) === over.page) return 'already-aliased';
  machine.aliases.set(frame, over.page);
  return 'aliased';
}

/** Refuses a place for a device that is neither in one range nor in a hole, or where something is already. */
function overlay(machine: NaiveMachine, frames: number[], isFree: (frame: number) => boolean): void {
  const ranges = new Set(frames.map((frame) => machine.rangeOf(frame)));
  if (ranges.size === 1 && ranges.has(undefined)) return;
  refuseIf(
    ranges.size > 1 || frames.some((frame) => !isFree(frame) || machine.isLocked(frame)),
    'VERR_PGM_RAM_CONFLICT',
  );
}

function clearRam(machine: NaiveMachine, frames: number[]): void {
  for (const frame of frames) {
    if (!machine.isRam(frame)) continue;
    machine.free(frame);
    machine.ballooned.delete(frame);
  }
}

export function registerMmio(machine: NaiveMachine, start: number, pages: number, name: string): void {
  const end = start + pages * PAGE_SIZE;
  const frames = framesOf(start, end);
  overlay(
    machine,
    frames,
    (frame) => machine.isRam(frame) || (machine.over.get(frame)?.kind === 'mmio' && !machine.aliases.has(frame)),
  );
  refuseIf(
    machine.handlers.some((other) => other.start < end && start < other.end),
    'VERR_PGM_HANDLER_PHYSICAL_CONFLICT',
  );
  clearRam(machine, frames);
  for (const frame of frames) machine.over.set(frame, { kind: 'mmio', start });
  machine.handlers.push({ kind: 'mmio', start, end, name, answer: 'done' });
}

export function deregisterMmio(machine: NaiveMachine, start: number, pages: number): void {
  const handler = byStart(machine, start);
  refuseIf(handler.kind !== 'mmio' || handler.end !== start + pages * PAGE_SIZE, 'VERR_NOT_FOUND');
  deregisterHandler(machine, start);
  for (const frame of framesOf(handler.start, handler.end)) {
    machine.over.delete(frame);
    machine.aliases.delete(frame);
  }
}

export function mapDevice(machine: NaiveMachine, address: number): void {
  refuseIf(address === 0 || address % PAGE_SIZE !== 0, 'VERR_INVALID_PARAMETER');
  refuseIf(machine.deviceAt !== undefined, 'VERR_WRONG_ORDER');
  const frames = framesOf(address, address + DEVICE_PAGES * PAGE_SIZE);
  overlay(machine, frames, (frame) => machine.isRam(frame));
  clearRam(machine, frames);
  for (const [page, frame] of frames.entries()) machine.over.set(frame, { kind: 'mmio2', page });
  machine.deviceAt = address;
}

export function unmapDevice(machine: NaiveMachine, address: number): void {
  if (machine.deviceAt === undefined) throw new Refused('VERR_WRONG_ORDER');
  refuseIf(machine.deviceAt !== address, 'VERR_INVALID_PARAMETER');
  takeDeviceAway(machine);
}

export function moveDevice(machine: NaiveMachine, address: number): void {
  if (machine.deviceAt !== undefined) takeDeviceAway(machine);
  mapDevice(machine, address);
}

function takeDeviceAway(machine: NaiveMachine): void {
  const start = machine.deviceAt ?? 0;
  const end = start + DEVICE_PAGES * PAGE_SIZE;
  const frames = framesOf(start, end);
  const inHole = !machine.ram.has(frames[0]);
  refuseIf(inHole && machine.handlers.some((other) => other.start < end && start < other.end), 'VERR_WRONG_ORDER');
  for (const frame of frames) machine.over.delete(frame);
  machine.deviceAt = undefined;
}

export function protect(machine: NaiveMachine, start: number, pages: number, protection: number): void {
  refuseIf(protection < 1 || protection > 4, 'VERR_INVALID_PARAMETER');
  for (const frame of framesOf(start, start + pages * PAGE_SIZE)) {
    const over = machine.over.get(frame);
    if (over?.kind === 'rom' && ROMS[over.rom].isShadowed) machine.protection[over.rom][over.page] = protection;
  }
}

export function balloon(machine: NaiveMachine, inflates: boolean, addresses: readonly number[]): number {
  refuseIf(addresses[0] % PAGE_SIZE !== 0, 'VERR_INVALID_PARAMETER');
  for (const [i, address] of addresses.entries()) {
    const frame = Math.floor(address / PAGE_SIZE);
    const may = machine.isRam(frame) && (inflates ? !machine.isLocked(frame) : machine.ballooned.has(frame));
    if (!may) return i;
    machine.free(frame);
    if (inflates) machine.ballooned.add(frame);
    else machine.ballooned.delete(frame);
  }
  return addresses.length;
}

export function reset(machine: NaiveMachine): void {
  machine.a20Off.clear();
  machine.aliases.clear();
  for (const frame of machine.ram.keys()) {
    if (!machine.isRam(frame)) continue;
    const keeps = machine.isLocked(frame) && machine.ram.get(frame) !== undefined;
    machine.free(frame);
    machine.ballooned.delete(frame);
    if (keeps) machine.ram.set(frame, new Uint8Array(PAGE_SIZE));
  }
  for (const [rom, pages] of machine.shadow.entries()) {
    pages.fill(undefined);
    machine.protection[rom].fill(1);
  }
}
