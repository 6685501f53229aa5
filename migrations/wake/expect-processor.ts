import { UnsupportedError } from '../../formats/errors.ts';
import { missingFeatures } from '../../src/wake/processor-features.ts';
import type { CpuState } from '../../src/wake/units/cpu-state.ts';
import type { QmpClient } from '../qmp/qmp-client.ts';

/** The model of processor that a woken machine gets. */
const MODEL = 'max';

/** Makes sure that QEMU's processor has what the guest has switched on. @throws UnsupportedError `not-wakeable` */
export async function expectProcessor(qmp: QmpClient, cpus: readonly CpuState[]): Promise<void> {
  const answer = await qmp.execute('query-cpu-model-expansion', { type: 'full', model: { name: MODEL } });
  const { props = {} } = (answer as { model?: { props?: Record<string, unknown> } }).model ?? {};
  const missing = missingFeatures(cpus, props);
  if (missing.length === 0) return;
  throw new UnsupportedError(
    'not-wakeable',
    `Cannot wake: the guest uses ${missing.join(', ')}, which the processor of this QEMU lacks; use a later QEMU, --accel kvm, or boot the guest without (Linux: no${missing[0]})`,
  );
}
