import type { FormatCode } from '../../../formats/codes/format-codes.ts';
import { FormatError, UnsupportedError, UsageError } from '../../../formats/errors.ts';
import { IGNORE_SHARED, MAPPED_RAM } from '../../../formats/qemu/constants.ts';
import { addressOf } from '../../../formats/qemu/guest-layout.ts';
import { libvirtData } from '../../../formats/qemu/writing/libvirt-head.ts';
import type { QemuStreamPlan } from '../../../formats/qemu/writing/stream-writer.ts';
import { chosenFrom } from '../../../formats/values/chosen-from.ts';
import { readDomain } from '../qemu/libvirt-domain.ts';
import type { BlockSummary, QemuState } from '../qemu/qemu-state.ts';
import { checkCompleteness } from '../qemu-verify/check-completeness.ts';
import { Findings } from '../reading/findings.ts';
import { compressionOf, formOf, isMapped, QEMU_FORMS, type QemuForm } from './forms.ts';

/** Target of a conversion of a state of QEMU. */
export interface QemuConvertOptions {
  /** Default: the form of the state; of a snapshot in an image a plain stream. */
  to?: QemuForm;
  /** Keep the description of the sections; default true. */
  description?: boolean;
  /** libvirt's settings of the domain, for a state that has none. */
  xml?: string;
  /** Leave RAM out of the state (`x-ignore-shared`), and write it to a file of its own. */
  leavesRamOut?: boolean;
  /** Take an image that libvirt has not marked as finished, if all of it is there. */
  heals?: boolean;
}

export interface QemuConvertPlan {
  from: QemuForm;
  to: QemuForm;
  stream: QemuStreamPlan;
  /** The block whose pages go to a file of its own. */
  leftOut?: BlockSummary;
  /** libvirt's head. */
  libvirt?: { data: Uint8Array; cookieOffset: number; wasRunning: boolean };
  keepsDescription: boolean;
  /** Changes besides the form, for people. */
  notes: string[];
}

/** @throws FormatError for a state that is not whole, UsageError for options that do not go together */
export function planQemuConversion(state: QemuState, hasRam: boolean, options: QemuConvertOptions): QemuConvertPlan {
  const from = formOf(state);
  const to = chosenFrom('to', options.to ?? from, QEMU_FORMS);
  const elsewhere = state.blocks.some(({ leftOut }) => leftOut) && !hasRam;
  expectWhole(state);
  const leftOut = options.leavesRamOut ? ramToLeaveOut(state) : undefined;
  if (isMapped(to) && (elsewhere || leftOut))
    throw new UsageError(
      'ram-elsewhere',
      elsewhere
        ? 'Cannot convert: the RAM lies in the file that the machine shares: --ram FILE'
        : 'Cannot leave RAM out of mapped RAM: choose --to plain',
    );
  if (elsewhere && leftOut) throw new UsageError('ram-elsewhere', 'Cannot leave RAM out: the state has none');
  const plan: QemuConvertPlan = {
    from,
    to,
    stream: streamOf(state, to, elsewhere || leftOut !== undefined),
    keepsDescription: options.description !== false && state.descriptionJson !== undefined,
    notes: notesOf(state, elsewhere),
  };
  if (leftOut) plan.leftOut = leftOut;
  if (compressionOf(to)) plan.libvirt = libvirtOf(state, options.xml);
  return plan;
}

/** Refuses an incomplete state, which QEMU would load: a copy must not look better than its source. */
function expectWhole(state: QemuState): void {
  const findings = new Findings();
  checkCompleteness(state, findings);
  const [first] = findings.errors;
  if (first) throw new FormatError(first.code as FormatCode, `Cannot convert: ${first.message}`, first.place);
  const { container } = state;
  if (container.kind === 'libvirt' && !container.image.isComplete && !state.description)
    throw new FormatError(
      'partial',
      'Cannot heal save image: without a description of its sections nothing tells whether all are there',
    );
}

function ramToLeaveOut({ blocks }: QemuState): BlockSummary {
  const ram = blocks.filter(({ isRam }) => isRam);
  if (ram.length === 1) return ram[0];
  throw new UnsupportedError('unsupported', `Cannot leave RAM out: the state has ${ram.length} blocks of RAM`);
}

function streamOf(
  { configuration, blocks, layout, ramSections, otherSections }: QemuState,
  to: QemuForm,
  ignoresShared: boolean,
): QemuStreamPlan {
  const others = configuration.capabilities.filter((name) => name !== MAPPED_RAM && name !== IGNORE_SHARED);
  const capabilities = [...others, ...(isMapped(to) ? [MAPPED_RAM] : []), ...(ignoresShared ? [IGNORE_SHARED] : [])];
  return {
    configuration: { ...configuration, capabilities },
    blocks: blocks.map((block) => {
      const gcPhys = addressOf(block, layout);
      return { name: block.name, size: block.size, gcPhys };
    }),
    layout,
    ramId: ramSections[0]?.id ?? 0,
    footers: ramSections[0]?.footer ?? true,
    early: otherSections.filter(({ type }) => type === 'full'),
  };
}

function libvirtOf(
  { container, configuration }: QemuState,
  xml: string | undefined,
): NonNullable<QemuConvertPlan['libvirt']> {
  if (xml === undefined) {
    if (container.kind === 'libvirt') return container.image;
    throw new UsageError(
      'missing-option',
      "Cannot write a save image of libvirt: it holds the domain's settings; virsh dumpxml prints them: --xml FILE",
    );
  }
  const domain = readDomain(xml);
  if (!domain) throw new FormatError('bad-xml', "Cannot read libvirt's settings: expected the XML of a domain");
  if (domain.machine !== undefined && configuration.machine !== undefined && domain.machine !== configuration.machine)
    throw new UnsupportedError(
      'other-machine',
      `Cannot put the state into these settings: they say machine type ${domain.machine}, the state says ` +
        `${configuration.machine}`,
    );
  const wasRunning = container.kind === 'libvirt' && container.image.wasRunning;
  return { data: libvirtData(xml), cookieOffset: 0, wasRunning };
}

function notesOf({ commands, trailing, blocks, container }: QemuState, elsewhere: boolean): string[] {
  const notes: string[] = [];
  if (commands.length > 0)
    notes.push(`left out: ${commands.map(({ name }) => name).join(', ')}, which only a migration under way needs`);
  if (trailing > 0) notes.push(`left out: ${trailing} bytes after the end of the stream`);
  if (elsewhere) notes.push('RAM stays in the file that the machine shares');
  if (container.kind === 'libvirt' && !container.image.isComplete)
    notes.push('healed: libvirt had not marked the image as finished; all that its description lists is there');
  const repeats = blocks.some(({ zeroRecords, rawRecords, pages }) => zeroRecords + rawRecords > pages);
  if (repeats) notes.push('pages come several times, the last one counts; mapped-ram has each once');
  return notes;
}
