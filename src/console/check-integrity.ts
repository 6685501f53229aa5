import { checkHandlers } from '../paging/shadow/checks/handler-integrity.ts';
import { checkIntegrity } from '../pgm/memory-integrity.ts';
import { type Answer, linesOf } from './answer.ts';
import type { ConsoleSession } from './session.ts';

/** `checkintegrity`: whether ranges, pages, counts and the trees of handlers are in order (guest-memory.md 11). */
export function integrity({ machine }: ConsoleSession): Answer {
  const findings = [...checkIntegrity(machine.memory), ...(machine.shadow ? checkHandlers(machine.shadow) : [])];
  const lines = findings.length === 0 ? ['All is in order.'] : findings;
  return linesOf(
    lines,
    findings.map((finding) => ({ finding })),
  );
}
