import { countText } from '../../formats/amounts.ts';
import type { TeleportReport } from '../../migrations/teleporter/teleport-running.ts';
import { passwordLine } from '../../migrations/teleporter/wire.ts';
import { parseEndpoint } from '../../migrations/trust/endpoint.ts';
import { askMachine } from '../control/control-client.ts';
import type { EventOf } from '../control/replies.ts';
import type { TeleportRequest } from '../control/requests.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { Job, Outcome } from '../process/run-command.ts';
import { sizeText } from '../terminal/size-text.ts';
import { good } from '../terminal/styles.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';
import { LiveReport } from '../text/live-report.ts';
import { teleporterPassword } from './receive-file.ts';
import type { SendFileOptions } from './send-file.ts';

/** Has the process of a machine of `savkit run` teleport it to a VirtualBox that waits for it. */
export async function sendRunning(socket: string, options: SendFileOptions, { signal }: Job): Promise<Outcome> {
  const { to } = options;
  parseEndpoint(to);
  const password = passwordLine(await teleporterPassword(options.passwordFile), options.passwordForm);
  const request: TeleportRequest = { to, password, paused: options.paused, maxDowntimeMs: options.maxDowntime };
  const report = new LiveReport(options);
  let bytes = 0;
  const onEvent = ({ event, ...data }: EventOf<'teleport'>) => {
    if (!('bytes' in data)) return report.note(event, NO_TEXT, data);
    bytes = data.bytes;
    report.update(
      'progress',
      () => line`${socket} → ${to}: ${sizeText(bytes)}`,
      () => ({ bytes }),
    );
  };
  try {
    const result = await askMachine(socket, { command: 'teleport', request }, onEvent, signal);
    return {
      exitCode: ExitCode.OK,
      result: { to, ...result },
      text: options.quiet ? NO_TEXT : textOf(socket, to, result),
    };
  } finally {
    report.stop();
  }
}

function textOf(socket: string, to: string, { passes, downtimeMs, paused }: TeleportReport): TerminalText {
  const live =
    passes.length > 0
      ? `, ${countText(passes.length - 1, 'pass', 'passes')} and the final one; it stood still for ` +
        `${downtimeMs.toFixed(1)} ms`
      : '';
  return lines([
    line`${socket}: ${good('handed over')} to ${to}${live}`,
    indent(`the machine ${paused ? 'is there now, paused' : 'runs there now'}, and no longer here`),
  ]);
}
