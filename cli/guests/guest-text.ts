import { countText } from '../../formats/amounts.ts';
import type { GuestFacts } from '../../migrations/guests/guest-facts.ts';
import type { Hindrance } from '../../migrations/guests/hindrances.ts';
import type { MigrationForecast } from '../../migrations/policy/forecast.ts';
import { forecastText } from '../migration/migration-text.ts';
import { sizeText } from '../terminal/size-text.ts';
import { bad, good } from '../terminal/styles.ts';
import { indent, line, lines, type TerminalText } from '../terminal/terminal-text.ts';

/** The result of a dry run for a guest. */
export function guestCheckText(
  name: string,
  { name: guest, version, machineType, accelerator, cpus, backends, status }: GuestFacts,
  hindrances: readonly Hindrance[],
  told: (MigrationForecast & { dirtyRate: number }) | undefined,
  rate: number,
): TerminalText {
  const bytes = backends.reduce((sum, backend) => sum + backend.bytes, 0);
  const machine = line`${machineType}, ${accelerator}, ${countText(cpus, 'CPU')}`;
  const memory = line`${sizeText(bytes)} of accessible memory`;
  const what = line`guest ${guest} of QEMU ${version}, ${status}: ${machine}, ${memory}`;
  const verdict = told ? [forecastText(name, told, rate)] : [line`${name}: ${bad('cannot be migrated as it is')}`];
  return lines([...verdict, indent(what), ...hindrances.map(hindranceText)]);
}

function hindranceText({ isFatal, message }: Hindrance): TerminalText {
  return indent(line`${isFatal ? bad('prevents it') : good('note')}: ${message}`);
}
