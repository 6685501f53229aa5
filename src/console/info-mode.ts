import { MODE_NAMES } from '../paging/modes.ts';
import { type Answer, linesOf } from './answer.ts';
import type { ConsoleSession } from './session.ts';

/**
 * `info mode [all|guest|shadow|host]`, in the form of VirtualBox 7.2 (console.md 1.6). A saved state does not hold the
 * numbers of mode changes, so changes since loading are shown.
 */
export function infoMode(session: ConsoleSession, words: readonly string[]): Answer {
  const argument = words.join(' ');
  const wants = (word: string) => argument === '' || argument.includes('all') || argument.includes(word);
  const { cpus, memory, host } = session.machine;
  const { a20 } = memory;
  const lines: string[] = [];
  const rows: object[] = [];
  for (const [cpu, { guestMode, shadow: tables, modeChanges }] of cpus.entries()) {
    const guest = guestMode ? MODE_NAMES[guestMode] : 'unknown mode value';
    const shadowMode = tables?.shadowMode;
    const shadow = shadowMode ? MODE_NAMES[shadowMode] : 'None';
    if (wants('guest')) {
      const gate = `A20 ${a20.isOn(cpu) ? 'enabled' : 'disabled'} (changed ${a20.changesOf(cpu)} times)`;
      lines.push(`Guest paging mode (VCPU #${cpu}):  ${guest} (changed ${modeChanges} times), ${gate}`);
      lines.push(`Guest SLAT mode (VCPU #${cpu}): Direct`);
    }
    if (wants('shadow')) lines.push(`Shadow paging mode (VCPU #${cpu}): ${shadow}`);
    if (wants('host')) lines.push(`Host paging mode:             ${host.host}`);
    rows.push({ cpu, guest, a20Enabled: a20.isOn(cpu), shadow, host: host.host });
  }
  return linesOf(lines, lines.length > 0 ? rows : []);
}
