import type { ByteSource } from '../../formats/files/source.ts';
import { connectPeer } from '../../migrations/teleporter/connect.ts';
import { prepareShipment, type Shipment } from '../../migrations/teleporter/send.ts';
import { sendMachine } from '../../migrations/teleporter/sender.ts';
import { type PasswordForm, passwordLine } from '../../migrations/teleporter/wire.ts';
import { endpointText, parseEndpoint } from '../../migrations/trust/endpoint.ts';
import { type LayoutOptions, layoutFrom } from '../io/layout.ts';
import { ExitCode } from '../process/exit-codes.ts';
import { type CommonOptions, type Job, type Outcome, stepsOf } from '../process/run-command.ts';
import { sizeText } from '../terminal/size-text.ts';
import { good } from '../terminal/styles.ts';
import { indent, line, lines, NO_TEXT } from '../terminal/terminal-text.ts';
import { LiveReport } from '../text/live-report.ts';
import { rateText } from './figures-text.ts';
import { teleporterPassword } from './receive-file.ts';

export interface SendFileOptions extends CommonOptions, LayoutOptions {
  state: string;
  to: string;
  passwordFile?: string;
  passwordForm: PasswordForm;
  paused: boolean;
  flatten: boolean;
  pgm?: number;
  maxDowntime: number;
}

/** Teleports the machine in a saved state to a VirtualBox that waits for it. */
export async function sendFile(source: ByteSource, options: SendFileOptions, job: Job): Promise<Outcome> {
  const { signal, progress } = job;
  const endpoint = parseEndpoint(options.to);
  const password = await teleporterPassword(options.passwordFile);
  const report = new LiveReport(options);
  const shipment = await prepareShipment(source, {
    flatten: options.flatten,
    pgm: options.pgm,
    ...(await layoutFrom(options)),
    ...stepsOf(job, source),
  });
  const start = performance.now();
  const peer = await connectPeer(endpoint, { signal });
  report.note('connected', line`Connected to ${peer.name}`, { to: peer.name });
  let bytes = 0;
  try {
    await sendMachine(peer, {
      password: passwordLine(password, options.passwordForm),
      stream: (sink) => shipment.write(sink),
      paused: () => options.paused,
      signal,
      onStep: (step, sent) => {
        bytes = Math.max(bytes, sent);
        if (step === 'stream') progress.update(sent, source.size, 'sending');
        else progress.stop();
        if (step !== 'stream') report.note('step', NO_TEXT, { step });
        report.update(
          'progress',
          () => NO_TEXT,
          () => ({ bytes: sent }),
        );
      },
    });
  } finally {
    progress.stop();
    await peer.close();
  }
  return outcomeOf(shipment, options, endpointText(endpoint), bytes, (performance.now() - start) / 1000);
}

function outcomeOf(
  { state, conversion }: Shipment,
  options: SendFileOptions,
  to: string,
  bytes: number,
  seconds: number,
): Outcome {
  const from = {
    container: state.header.format,
    live: state.header.live,
    pgm: state.pgm?.version,
  };
  const sentAs = conversion?.report.to ?? from;
  const result = {
    to,
    bytes,
    seconds,
    paused: options.paused,
    from,
    sentAs,
    assumptions: conversion?.report.assumptions ?? [],
  };
  const amount = line`${sizeText(bytes)} in ${seconds.toFixed(1)} s, ${rateText(bytes, seconds)}`;
  const text = [
    line`${options.state}: ${good('handed over')} to ${to}, ${amount}`,
    ...(conversion ? [indent(`sent as V${sentAs.container}, pgm ${sentAs.pgm}${sentAs.live ? ', live' : ''}`)] : []),
    ...result.assumptions.map((assumption) => indent(`assumed: ${assumption}`)),
    indent(
      `the machine ${options.paused ? 'is there now, paused' : 'runs there now'}; do not start it from this ` +
        'file as well',
    ),
  ];
  return { exitCode: ExitCode.OK, result, text: options.quiet ? NO_TEXT : lines(text) };
}
