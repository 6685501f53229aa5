import type { Argv } from 'yargs';
import { countText } from '../../../formats/amounts.ts';
import { hex } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { familyOf } from '../../../src/saved-state/families/read-state.ts';
import type { StateFamily } from '../../../src/saved-state/reading/families.ts';
import { firstError } from '../../../src/saved-state/reading/findings.ts';
import { salvage } from '../../../src/saved-state/salvage/salvage.ts';
import { FILLS } from '../../../src/saved-state/salvage/salvage-options.ts';
import type { SalvageReport } from '../../../src/saved-state/salvage/salvage-report.ts';
import { withSource } from '../../io/input.ts';
import { layoutFrom } from '../../io/layout.ts';
import { withOutput } from '../../io/output.ts';
import { fileCommand } from '../../many/command-of.ts';
import type { FileOptionsOf } from '../../many/file-command.ts';
import { withInto, withManyFiles } from '../../many/options.ts';
import { outputOf, takeOutput } from '../../many/outputs.ts';
import { expectOptionsOf } from '../../parsing/family-options.ts';
import { FORCE, filesOf, LIKE } from '../../parsing/shared-options.ts';
import { noted, withLists } from '../../process/custody-log.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { errorText, type Job, type Outcome, stepsOf, withCommonOptions } from '../../process/run-command.ts';
import { bad, good, heading } from '../../terminal/styles.ts';
import { table } from '../../terminal/table.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../../terminal/terminal-text.ts';
import { unreadableLines } from '../../text/unreadable-text.ts';
import { runQemuSalvage } from '../qemu/salvage-qemu.ts';

const builder = (argv: Argv) =>
  withLists(withInto(withManyFiles(withCommonOptions(argv))))
    .positional(
      'files',
      filesOf('Damaged or cut state and the file to write, - for stdin and stdout; with --into any number of states'),
    )
    .option('fill', {
      choices: FILLS,
      describe:
        'Contents of missing pages, so that the state loads: zeros; or older copies from a live save where ' +
        'there are any, else zeros',
    })
    .option('trust', {
      type: 'boolean',
      default: false,
      describe: 'Also keep units whose bytes do not match their stored CRC',
    })
    .option('repair', {
      type: 'boolean',
      default: false,
      describe:
        'Also in large units, flip back the one bit that explains a wrong CRC; there, a bit may fit by accident',
    })
    .option('layout', {
      type: 'string',
      requiresArg: true,
      describe: 'JSON file as of convert --print-layout, that names the lost memory of a state of pgm 6 to 9',
    })
    .option('like', LIKE)
    .option('force', FORCE)
    .example(
      '$0 salvage broken.sav rescued.sav',
      'Keep what is certain; VirtualBox will not load it while pages are missing',
    )
    .example(
      '$0 salvage broken.sav rescued.sav --fill zero',
      'Missing pages become zeros, so that VirtualBox loads the state; at your own risk',
    )
    .epilogue(
      'Exit codes: 0 nothing is missing and the result is whole, 3 something is missing or damaged, 1 nothing ' +
        'can be kept, 5 the result holds what savkit cannot judge. A state with missing parts holds a unit ' +
        'savkit/incomplete that lists them and keeps VirtualBox from loading it.',
    );
type Options = FileOptionsOf<typeof builder>;

export const salvageCommand = fileCommand({
  name: 'salvage',
  usage: '<input> <output>',
  builder,
  settle: (options) => takeOutput(options, 'savkit salvage <input> <output>'),
  perFile: (job, options) =>
    noted(job, options, { command: 'salvage', output: outputOf(options) }, () =>
      withSource(job, async (whole) => {
        const { family, source } = await familyOf(whole);
        expectOptionsOf(family, options, OWN_OPTIONS);
        return SALVAGERS[family.name](source, job, options);
      }),
    ),
});

/** Defaults of options that only one family of states has. */
const OWN_OPTIONS = { virtualbox: { layout: undefined, like: undefined, trust: false, repair: false }, qemu: {} };

const SALVAGERS: Record<StateFamily['name'], (source: ByteSource, job: Job, options: Options) => Promise<Outcome>> = {
  virtualbox: runSalvage,
  qemu: (source, job, options) => runQemuSalvage(source, job, { ...options, output: outputOf(options) }),
};

async function runSalvage(source: ByteSource, job: Job, options: Options): Promise<Outcome> {
  const layout = await layoutFrom(options);
  return withOutput(outputOf(options), { force: options.force }, async (sink) => {
    const report = await salvage(source, sink, {
      ...stepsOf(job, source),
      trust: options.trust,
      repair: options.repair,
      fill: options.fill,
      ...layout,
    });
    return { keep: true, value: outcomeOf(report, options) };
  });
}

function outcomeOf(report: SalvageReport, options: Options): Outcome {
  const { quiet } = options;
  const output = outputOf(options);
  const { findings, ...result } = report;
  return {
    exitCode: exitCodeOf(report),
    findings,
    result,
    text: quiet || output === '-' ? NO_TEXT : reportText(report, output),
  };
}

function exitCodeOf({ complete, written }: SalvageReport): ExitCode {
  if (complete) return ExitCode.OK;
  return written.verdict === 'unsupported' ? ExitCode.UNSUPPORTED : ExitCode.PARTLY;
}

const NO_ERROR = { message: 'no reason is known' };

function reportText(report: SalvageReport, output: string): TerminalText {
  const { complete, kept, dropped, lostUnits, cut, lost, lostPages, untold, repaired, unproven, written } = report;
  const verdict = complete ? good('nothing is missing') : bad('partly saved');
  const text = [line`${output}: ${verdict}, ${countText(kept.length, 'unit')} kept`];
  for (const { offset, bit, chance } of repaired)
    text.push(indent(`flipped back: bit ${bit} at ${hex(offset)}; only that explains the CRC${accident(chance)}`));
  text.push(...unreadableLines(report.unreadable).map((words) => indent(words)));
  for (const { start, end } of lostUnits)
    text.push(indent(`a unit is lost, or may be, between ${hex(start)} and ${hex(end)}`));
  if (cut) text.push(indent('the file was cut: the units after the cut are gone'));
  if (unproven)
    text.push(indent('the memory does not have the CRC that was stored, and no page shows why: any page may be wrong'));
  if (dropped.length > 0) {
    const rows = dropped.map(({ name, instance, pass, why }) => [name, instance, pass, why]);
    text.push(heading('Units dropped'), table(['unit', 'instance', 'pass', 'why'], rows));
  }
  if (lost.length > 0) {
    const rows = lost.map(({ range, start, end, first, last, what }) => [
      range,
      hex(start),
      hex(end),
      last - first + 1,
      what,
    ]);
    text.push(heading(`Pages missing: ${lostPages}`), table(['range', 'from', 'to', 'pages', ''], rows));
  }
  if (untold) text.push(indent('more is missing: the lists of ROMs and device memory are lost, too'));
  if (written.verdict !== 'whole')
    text.push(
      indent(line`The written file is ${written.verdict}: ${errorText(firstError(written.findings) ?? NO_ERROR)}`),
    );
  if (!complete) text.push(indent(prospects(report)));
  return lines(text);
}

/** Tells whether VirtualBox will load the result, as far as the file alone shows. */
function prospects({ loadable, written: { verdict, findings } }: SalvageReport): string {
  if (loadable) return 'Nothing in it keeps VirtualBox from loading it; missing pages are zeros or old copies.';
  if (findings.some(({ code }) => code === 'incomplete'))
    return 'VirtualBox will refuse to load it: a unit in it lists the missing parts.';
  if (verdict === 'unsupported') return 'savkit cannot tell whether VirtualBox loads it.';
  return 'VirtualBox will refuse to load it.';
}

/** Tells how often a bit would fit by accident, unless that hardly ever happens. */
function accident(chance: number): string {
  return chance < 0.0001 ? '' : ` (a bit would fit by accident ${(chance * 100).toFixed(2)} times in 100)`;
}
