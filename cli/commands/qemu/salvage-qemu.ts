import { countText } from '../../../formats/amounts.ts';
import { hex, UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { type QemuSalvageReport, salvageQemu } from '../../../src/saved-state/qemu-salvage/salvage-qemu.ts';
import { firstError } from '../../../src/saved-state/reading/findings.ts';
import type { Fill } from '../../../src/saved-state/salvage/salvage-options.ts';
import { withOutput } from '../../io/output.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { errorText, type Job, type Outcome, stepsOf } from '../../process/run-command.ts';
import { bad, good, heading } from '../../terminal/styles.ts';
import { table } from '../../terminal/table.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../../terminal/terminal-text.ts';
import { unreadableLines } from '../../text/unreadable-text.ts';

/** Options of `salvage` for states of QEMU. */
export interface QemuSalvageCliOptions {
  output: string;
  fill?: Fill;
  force: boolean;
  quiet: boolean;
}

export async function runQemuSalvage(source: ByteSource, job: Job, options: QemuSalvageCliOptions): Promise<Outcome> {
  const { output, fill, force, quiet } = options;
  if (fill === 'older')
    throw new UsageError(
      'usage',
      'Cannot use --fill older: of a state of QEMU the last copy of each page is kept in any case',
    );
  return withOutput(output, { force }, async (sink) => {
    const report = await salvageQemu(source, sink, { ...stepsOf(job, source), fill });
    const { findings, ...result } = report;
    const exitCode = report.complete ? ExitCode.OK : ExitCode.PARTLY;
    const text = quiet || output === '-' ? NO_TEXT : reportText(report, output);
    return { keep: true, value: { exitCode, findings, result, text } };
  });
}

const NO_CHECKSUM =
  "QEMU's format has no checksum: pages and registers that damage has changed or swapped cannot be told from others";

/** Findings about the result that repeat the lists above. */
const LISTED = ['pages-missing', 'missing-section', 'incomplete'];

function reportText(report: QemuSalvageReport, output: string): TerminalText {
  const { complete, kept, dropped, cut, hasDescription, lost, lostPages, untold, mayBeOld, written } = report;
  const verdict = complete ? good('nothing is missing') : bad('partly saved');
  const text = [line`${output}: ${verdict}, ${countText(kept.length, 'section')} of devices kept`];
  for (const { name, instance, repaired } of kept)
    if (repaired !== undefined) text.push(indent(line`${name} ${instance}: ${repaired}`));
  if (dropped.length > 0)
    text.push(
      heading('Sections lost'),
      table(
        ['section', 'instance'],
        dropped.map(({ name, instance }) => [name, instance]),
      ),
    );
  if (cut)
    text.push(
      indent('the stream ends early, and its description is lost: more sections are lost, but it is not known which'),
    );
  else if (!hasDescription)
    text.push(indent('there is no description of the sections: it is not known whether all are there'));
  if (lostPages > 0) {
    const rows = lost.map(({ block, start, end, first, last }) => [block, hex(start), hex(end), last - first + 1]);
    text.push(heading(`Pages missing: ${lostPages}`), table(['block', 'from', 'to', 'pages'], rows));
  }
  text.push(...unreadableLines(report.unreadable).map((words) => indent(words)));
  for (const { start, end, isTold } of report.gaps)
    if (!isTold) text.push(indent(`which pages were saved from ${hex(start)} to ${hex(end)} is not known`));
  if (untold) text.push(indent('whole blocks of memory are lost: the list of blocks ends early'));
  if (mayBeOld)
    text.push(
      indent('records of memory are lost: if the machine ran while it was saved, kept pages may be older copies'),
    );
  const wrong = firstError(written.findings);
  if (wrong && !LISTED.includes(wrong.code)) text.push(indent(line`The written file is damaged: ${errorText(wrong)}`));
  if (written.findings.some(({ code }) => code === 'pages-elsewhere'))
    text.push(indent('RAM stays in the file that the machine shares: none of it is in here'));
  text.push(indent(NO_CHECKSUM));
  if (!complete) text.push(...prospects(report).map((words) => indent(words)));
  return lines(text);
}

/** Tells whether QEMU will load the result, as far as the file alone shows. */
function prospects({ loadable, kept, dropped, cut, lostPages, written }: QemuSalvageReport): string[] {
  if (loadable) return [lostPages > 0 ? 'QEMU loads it; missing pages are zeros.' : 'QEMU loads it.'];
  if (written.qemuSays !== undefined && lostPages === 0 && dropped.length === 0 && !cut)
    return ['QEMU will refuse to load it.'];
  const cpu = dropped.find(({ name }) => name === 'cpu') ?? (kept.some(({ name }) => name === 'cpu') ? undefined : {});
  const words = ['QEMU will refuse to load it: the section savkit/incomplete lists the missing parts.'];
  if (cpu)
    words.push('Without a section cpu no QEMU can continue the machine, but its memory can be searched and extracted.');
  else if (dropped.length > 0 || cut)
    words.push('The machine would need the lost sections: without them QEMU starts those devices as after a reset.');
  else if (lostPages > 0) words.push('--fill zero makes the missing pages zeros, and lets QEMU load it.');
  else words.push('No page is missing, but some may be older copies: --fill zero lets QEMU load it all the same.');
  return words;
}
