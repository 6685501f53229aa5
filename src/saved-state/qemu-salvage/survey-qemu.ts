import { FormatError, type SavkitError, unlessBad } from '../../../formats/errors.ts';
import type { FailingDisk } from '../../../formats/files/failing-disk.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { INCOMPLETE_NAME } from '../../../formats/incomplete-name.ts';
import { MAX_TAIL } from '../../../formats/qemu/constants.ts';
import { openQemuState } from '../../../formats/qemu/containers/open.ts';
import { type DescribedDevice, parseDescription, type StreamDescription } from '../../../formats/qemu/description.ts';
import { findDescription, findDescriptionEnd } from '../../../formats/qemu/find-description.ts';
import { findDevice } from '../../../formats/qemu/find-device.ts';
import type { RamBlock } from '../../../formats/qemu/ram-blocks.ts';
import type { QemuSection } from '../../../formats/qemu/sections.ts';
import type { WrittenSection } from '../../../formats/qemu/writing/stream-writer.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import { readQemuState } from '../qemu/read-qemu-state.ts';
import { type Finding, Findings } from '../reading/findings.ts';
import type { WalkOptions } from '../reading/walk.ts';
import { PageSets } from './page-sets.ts';

/** A section that is kept. */
export interface KeptSection extends WrittenSection {
  /** Offset in the damaged file. */
  offset: number;
  /** Repairs of the section; absent if it was whole. */
  repaired?: string;
  /** Entry of the section in the description. */
  described?: DescribedDevice;
}

/** Salvageable parts of a damaged state. */
export interface QemuSurvey {
  state: QemuState;
  pages: PageSets;
  kept: KeptSection[];
  /** Sections that the description lists, but that were not found. */
  dropped: { name: string; instance: number }[];
  description?: { json: Uint8Array; parsed: StreamDescription };
  findings: Finding[];
  /** Sections may be missing that nothing names. */
  cut: boolean;
  /** The damaged state was itself salvaged from an incomplete one. */
  wasIncomplete: boolean;
}

type SurveyOptions = Pick<WalkOptions, 'onProgress' | 'signal'> & { disk: FailingDisk };

/**
 * Reads all readable parts. @param options.disk may fail at some of its bytes @throws SavkitError if not even the RAM
 * blocks are known
 */
export async function surveyQemu(source: ByteSource, options: SurveyOptions): Promise<QemuSurvey> {
  const findings = new Findings();
  const pages = new PageSets();
  let fatal: SavkitError | undefined;
  const onDamage = (error: FormatError) => {
    fatal ??= error;
    findings.addError(error);
  };
  const onLost = (block: RamBlock, page: number) => pages.drop(block, page);
  const run = { ...options, onLost, deep: true, sink: pages, unfinished: true, onDamage };
  const state = await readQemuState(source, run);
  if (state.blocks.length === 0)
    throw fatal ?? new FormatError('missing-section', 'Cannot salvage: the state has no section "ram"');
  const survey: QemuSurvey = {
    state,
    pages,
    kept: [],
    dropped: [],
    findings: findings.list,
    cut: false,
    wasIncomplete: false,
  };
  for (const section of state.devices) if (isReadable(state, section)) keep(survey, sectionOf(section));
  const { description: parsed, descriptionJson: json } = state;
  if (parsed && json) survey.description = { parsed, json };
  if (!state.memoryRead || !state.ended || findings.errors.length > 0) await findTheRest(source, survey, options);
  const { description } = survey;
  survey.cut = !description && !state.ended;
  survey.wasIncomplete = survey.kept.some(isMarker);
  survey.kept = survey.kept.filter((section) => !isMarker(section));
  const isLost = (device: DescribedDevice) =>
    !isKept(survey, device) && !keptOthers(state).some(({ name }) => name === device.name);
  const lostOthers =
    keptOthers(state).length > 0 ? [] : state.otherSections.filter(({ type }) => /start|full/.test(type));
  // Without a description nothing else names them.
  const lostDevices =
    description?.parsed.devices.filter(isLost) ?? state.devices.filter((device) => !isReadable(state, device));
  survey.dropped = [...lostOthers, ...lostDevices].map(({ name, instance }) => ({ name, instance }));
  return survey;
}

/**
 * Whether no byte of a section is made up. Its head may be, if the description tells all that the head does; a
 * description itself with made-up bytes would not have been parsed.
 */
function isReadable(
  { parts }: QemuState,
  { offset, bodyOffset, bodySize, described }: QemuSection & Described,
): boolean {
  const isTold = described?.version !== undefined && described.fields.length > 0;
  return !parts?.badIn(isTold ? bodyOffset : offset, bodyOffset + bodySize);
}
type Described = { described?: DescribedDevice | undefined };

/** Other sections in parts, as far as all their parts are there; else they are useless. */
export function keptOthers(state: QemuState): QemuState['otherSections'] {
  const { memoryRead, gaps, otherSections } = state;
  const areWhole = memoryRead && gaps.length === 0 && otherSections.every((section) => isReadable(state, section));
  return areWhole ? otherSections : [];
}

/** Whether sections have marks after them: machine types before 2.4 have neither marks nor a configuration. */
export function hasMarks({ configuration, ramSections, devices }: QemuState): boolean {
  return configuration.machine !== undefined || [...ramSections, ...devices].some(({ footer }) => footer);
}

const isMarker = ({ name }: KeptSection) => name === INCOMPLETE_NAME;

/** Keeps a section; the last of several counts, as for QEMU. */
function keep({ kept }: QemuSurvey, section: KeptSection): void {
  const index = kept.findIndex((other) => isOf(other, section.described ?? section));
  if (index < 0) kept.push(section);
  else kept[index] = { ...section, repaired: 'came more than once, the last one counts' };
}

/**
 * Whether a section is a device's. Two devices may have one name and instance, as the disk controllers of QEMU's ISA
 * machines.
 */
function isOf({ described, name, instance }: KeptSection, device: { name: string; instance: number }): boolean {
  if (described && 'fields' in device) return described === device;
  return name === device.name && instance === device.instance;
}

function isKept({ kept }: QemuSurvey, device: DescribedDevice): boolean {
  return kept.some((section) => isOf(section, device));
}

/** The section with name, instance and version from the description, if its body is described. */
function sectionOf({
  id,
  name,
  instance,
  version,
  body,
  offset,
  described,
}: QemuState['devices'][number]): KeptSection {
  if (!described) return { id, name, instance, version, body, offset };
  const right = {
    name: described.name,
    instance: described.instance,
    version: (described.fields.length > 0 ? described.version : undefined) ?? version,
  };
  const isRight = right.name === name && right.instance === instance && right.version === version;
  const was = `head said ${name} ${instance}, version ${version}`;
  return { id, body, offset, described, ...right, repaired: isRight ? undefined : was };
}

/** Searches the end of the stream, after unreadable parts, for the sections that the description lists. */
async function findTheRest(source: ByteSource, survey: QemuSurvey, options: SurveyOptions): Promise<void> {
  const { bytes, offset } = await endOf(source, survey.state, options);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const description = survey.description ?? descriptionIn(bytes);
  if (description) survey.description = description;
  for (const device of description?.parsed.devices ?? []) {
    if (isKept(survey, device)) continue;
    const found = findDevice(bytes, device, hasMarks(survey.state));
    if (!found || survey.state.parts?.badIn(offset + found.at, offset + found.end)) continue;
    const { name, instance } = device;
    const version = device.version ?? view.getUint32(found.bodyAt - 4);
    const id = view.getUint32(found.at + 1);
    const head = { id, name, instance, version, offset: offset + found.at, described: device };
    keep(survey, { ...head, body: bytes.subarray(found.bodyAt, found.end), repaired: 'found after damage' });
  }
  survey.kept.sort((a, b) => a.offset - b.offset);
}

function descriptionIn(bytes: Uint8Array): QemuSurvey['description'] {
  const found = findDescription(bytes);
  const json = bytes.subarray(found ? found.at + 5 : 0, found?.end ?? 0);
  return found && unlessBad(() => ({ json, parsed: parseDescription(json) }));
}

/** End of the stream; on a volume, which is larger than its stream, the end of the first description. */
async function endOfStream(stream: ByteSource, size: number, from: number, signal?: AbortSignal): Promise<number> {
  const end = size - from > MAX_TAIL ? await findDescriptionEnd(stream, from, signal) : undefined;
  return Math.min(size, end ?? size);
}

/** The last bytes of the stream; none of a compressed one, which can only be read front to back. */
async function endOf(
  source: ByteSource,
  { ramSections }: QemuState,
  { disk, signal }: SurveyOptions,
): Promise<{ bytes: Uint8Array; offset: number }> {
  const { stream, start, release } = await openQemuState(source, { unfinished: true, disk, ...(signal && { signal }) });
  try {
    if (!stream.seekable || stream.size === undefined) return { bytes: new Uint8Array(0), offset: 0 };
    const { bodyOffset = start, bodySize = 0 } = ramSections.at(-1) ?? {};
    const end = await endOfStream(stream, stream.size, bodyOffset + bodySize, signal);
    const offset = Math.max(start, end - MAX_TAIL);
    const bytes = new Uint8Array(end - offset);
    await stream.read(bytes, offset);
    return { bytes, offset };
  } finally {
    await release();
  }
}
