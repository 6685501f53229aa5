import { UnsupportedError } from '../../formats/errors.ts';
import { object, record } from '../../formats/values/shape.ts';
import { missingFeatures } from '../../src/wake/processor-features.ts';
import type { CpuState } from '../../src/wake/units/cpu-state.ts';
import type { WakeOptions } from '../../src/wake/wake-options.ts';
import type { QmpClient } from '../qmp/qmp-client.ts';

/** The model of processor that a woken machine gets. */
const MODEL = 'max';
const REMEDIES = { tcg: 'a later QEMU, --accel kvm', kvm: 'a host whose processor has them' } as const;
/** Properties are numbers, switches and words, by name. */
const expansion = record({ model: record({ props: object }) });

/**
 * Makes sure that QEMU's processor has the features that the guest has switched on. @throws UnsupportedError
 * `not-wakeable`
 */
export async function expectProcessor(
  qmp: QmpClient,
  cpus: readonly CpuState[],
  accelerator: WakeOptions['accelerator'],
): Promise<void> {
  const { model } = await qmp.ask('query-cpu-model-expansion', expansion, { type: 'full', model: { name: MODEL } });
  const missing = missingFeatures(cpus, model.props);
  if (missing.length === 0) return;
  throw new UnsupportedError(
    'not-wakeable',
    `Cannot wake: the guest uses ${missing.join(', ')}, which the processor of this QEMU lacks; use ` +
      `${REMEDIES[accelerator]}, or boot the guest without (Linux: no${missing[0]})`,
  );
}
