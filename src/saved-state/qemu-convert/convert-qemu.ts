import { UsageError } from '../../../formats/errors.ts';
import type { ReadableSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import type { Proof } from '../convert/proof.ts';
import { readQemuState } from '../qemu/read-qemu-state.ts';
import { stepOf } from '../reading/step.ts';
import type { WalkOptions } from '../reading/walk.ts';
import type { QemuForm } from './forms.ts';
import { planQemuConversion, type QemuConvertOptions, type QemuConvertPlan } from './plan-conversion.ts';
import { proveQemu } from './prove-qemu.ts';
import { writeQemuState } from './write-qemu-state.ts';

/** Options of a conversion of a state of QEMU. */
export interface QemuConvertRun extends QemuConvertOptions, Pick<WalkOptions, 'signal'> {
  /** Read the result back and compare it with the source; default true. */
  proof?: boolean;
  /** Gets the RAM, with `leavesRamOut`. */
  ramSink?: ReadableSink;
  /** Called with the step under way, and the offset reached in the file that is read. */
  onProgress?: (doing: 'reading' | 'writing' | 'proving', offset: number) => void;
}

/** Report of a conversion of a state of QEMU. */
export interface QemuConvertReport {
  family: 'qemu';
  /** Machine type such as `pc-i440fx-7.2`. */
  machine?: string;
  /** A form, or `qcow2` for a snapshot in a disk image. */
  from: { form: QemuForm | 'qcow2'; description: boolean };
  /** Form of the result. */
  to: { form: QemuForm; description: boolean; capabilities: string[] };
  /** Changes besides the form. */
  notes: string[];
  /** Absent with `proof: false`. */
  proof?: Proof;
}

/**
 * Reads the source and plans a conversion. Nothing is written. @throws FormatError for damage, UsageError for options
 * that exclude each other
 */
export async function prepareQemuConversion(
  source: ByteSource,
  options: QemuConvertRun = {},
): Promise<{ plan: QemuConvertPlan; report: QemuConvertReport }> {
  if (!source.seekable)
    throw new UsageError(
      'not-seekable',
      `Cannot convert ${source.name}: it has to be read several times, so it must be a file`,
    );
  const state = await readQemuState(source, {
    deep: true,
    unfinished: options.heals === true,
    ...stepOf(options, 'reading'),
  });
  const plan = planQemuConversion(state, source.ram !== undefined, options);
  const { machine } = state.configuration;
  return {
    plan,
    report: {
      family: 'qemu',
      machine,
      from: {
        form: state.container.kind === 'qcow2' ? 'qcow2' : plan.from,
        description: state.descriptionJson !== undefined,
      },
      to: {
        form: plan.to,
        description: plan.keepsDescription,
        capabilities: plan.stream.configuration.capabilities,
      },
      notes: plan.notes,
    },
  };
}

/**
 * Writes a state of QEMU in another form, and proves that nothing else changed. @param source seekable: it is read
 * several times. @throws as `prepareQemuConversion` does
 */
export async function convertQemu(
  source: ByteSource,
  sink: ReadableSink,
  options: QemuConvertRun = {},
): Promise<QemuConvertReport> {
  const { plan, report } = await prepareQemuConversion(source, options);
  const { ramSink } = options;
  await writeQemuState(source, sink, plan, { ...stepOf(options, 'writing'), ramSink });
  const beside = { ramSink, layout: plan.stream.layout };
  if (options.proof !== false) report.proof = await proveQemu(source, sink, beside, stepOf(options, 'proving'));
  return report;
}
