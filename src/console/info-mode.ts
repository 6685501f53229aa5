import { MODE_NAMES, pagingModeOf } from '../paging/modes.ts';
import { type Answer, linesOf } from './answer.ts';
import type { ConsoleSession } from './session.ts';

/**
 * `info mode [all|guest|shadow|host]`, in the form of VirtualBox 7.2 (console.md 1.6). How often a mode has changed is
 * not in a saved state; what is counted is counted here.
 */
export function infoMode(session: ConsoleSession, words: readonly string[]): Answer {
  const argument = words.join(' ');
  const wants = (word: string) => argument === '' || argument.includes('all') || argument.includes(word);
  const { cpum } = session.machine.state;
  const { a20 } = session.machine.memory;
  const lines: string[] = [];
  const rows: object[] = [];
  for (let cpu = 0; cpu < session.cpuCount; cpu++) {
    const registers = cpum?.cpus[cpu];
    const guest = registers ? MODE_NAMES[pagingModeOf(registers)] : 'unknown mode value';
    const shadowMode = session.shadowModeOf(cpu);
    const shadow = shadowMode ? MODE_NAMES[shadowMode] : 'None';
    if (wants('guest')) {
      const gate = `A20 ${a20.isOn(cpu) ? 'enabled' : 'disabled'} (changed ${a20.changesOf(cpu)} times)`;
      lines.push(`Guest paging mode (VCPU #${cpu}):  ${guest} (changed ${session.modeChangesOf(cpu)} times), ${gate}`);
      lines.push(`Guest SLAT mode (VCPU #${cpu}): Direct`);
    }
    if (wants('shadow')) lines.push(`Shadow paging mode (VCPU #${cpu}): ${shadow}`);
    if (wants('host')) lines.push(`Host paging mode:             ${session.hostMode}`);
    rows.push({ cpu, guest, a20Enabled: a20.isOn(cpu), shadow, host: session.hostMode });
  }
  return linesOf(lines, lines.length > 0 ? rows : []);
}
