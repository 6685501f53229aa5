import { bufferSource } from '../../../formats/files/source.ts';
import { parseDescription } from '../../../formats/qemu/description.ts';
import { numberOf, parseBytes, parseCount } from '../../../formats/values/number-text.ts';
import { explainLog } from '../../../src/saved-state/explain/log-reader.ts';
import { explainQemu } from '../../../src/saved-state/explain/qemu-messages.ts';
import { readHostCpuid } from '../../../src/saved-state/host/host-cpuid.ts';
import { readSettings } from '../../../src/saved-state/machine-facts/settings.ts';
import { decodeManifest, encodeManifest } from '../../../src/saved-state/manifest/manifest-file.ts';
import { parseCommand, wordsOf } from '../../../src/saved-state/qemu-check/command-words.ts';
import { expectedOf } from '../../../src/saved-state/qemu-check/expected-machine.ts';
import { readCpuModel, readMachineTypes } from '../../../src/saved-state/qemu-check/qemu-facts.ts';
import { settingsOfCommand } from '../../../src/saved-state/qemu-check/settings-of-command.ts';
import { settingsOfDomain } from '../../../src/saved-state/qemu-check/settings-of-domain.ts';
import { PATTERN_KINDS, patternOf } from '../../../src/saved-state/search/pattern.ts';
import { readResults } from '../../report/events.ts';
import { expectSame, reading, readingNow } from './reading.ts';

// Functions that a fuzzer calls with files that people hand to savkit beside a state.

const NAME = 'fuzzed';

/**
 * Reads manifests, in either encoding. A manifest that can be read can be written, and is the same when it is read
 * again.
 */
export function manifest(bytes: Buffer): void {
  const value = readingNow(() => decodeManifest(bytes));
  if (!value) return;
  for (const encoding of ['json', 'msgpack'] as const)
    expectSame(`a manifest in ${encoding}`, value, decodeManifest(encodeManifest(value, encoding)));
}

/** Reads settings of VirtualBox's machines. */
export function settings(bytes: Buffer): void {
  readingNow(() => readSettings(bytes.toString(), NAME));
}

/** Reads XML of libvirt's domains. */
export function domain(bytes: Buffer): void {
  const guest = readingNow(() => settingsOfDomain(bytes.toString(), NAME));
  if (guest) readingNow(() => expectedOf(guest, undefined));
}

/** Reads command lines of QEMU. */
export function command(bytes: Buffer): void {
  const parsed = readingNow(() => parseCommand(wordsOf(bytes.toString())));
  if (!parsed) return;
  const guest = readingNow(() => settingsOfCommand(parsed, NAME));
  if (guest) readingNow(() => expectedOf(guest, undefined));
}

/** Reads answers of QMP about machine types and processors, and a host's facts about its own processor. */
export function facts(bytes: Buffer): void {
  const text = bytes.toString();
  readingNow(() => readMachineTypes(text, NAME));
  readingNow(() => readCpuModel(text, NAME));
  readingNow(() => readHostCpuid(text, NAME));
}

/** Explains logs and messages. A finding is about lines that are there. */
export function log(bytes: Buffer): void {
  const text = bytes.toString();
  const count = text.split('\n').length;
  for (const { lines } of explainLog(text))
    if (lines.some((line) => line < 1 || line > count)) throw new Error(`lines ${lines} of ${count}`);
  explainQemu(text);
}

/** Reads the description at the end of a stream of QEMU. */
export function description(bytes: Buffer): void {
  readingNow(() => parseDescription(bytes));
}

/** Reads patterns of a search, and numbers as people write them. */
export function words(bytes: Buffer): void {
  const text = bytes.toString();
  for (const kind of PATTERN_KINDS) readingNow(() => patternOf(kind, text));
  readingNow(() => numberOf(text));
  readingNow(() => parseCount(text, 0, 100));
  readingNow(() => parseBytes(text));
}

/** Reads results as `report` does. */
export async function results(bytes: Buffer): Promise<void> {
  await reading(() => readResults(bufferSource(bytes), { file: () => {}, migration: () => {} }));
}
