import type { Argv } from 'yargs';
import { countText } from '../../../formats/amounts.ts';
import { UsageError } from '../../../formats/errors.ts';
import { hashedSource } from '../../../formats/files/hashed-source.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { describeUnit } from '../../../src/saved-state/describe/describe.ts';
import { type StateReport, verifyState } from '../../../src/saved-state/families/verify-state.ts';
import type { Finding } from '../../../src/saved-state/reading/findings.ts';
import { readSmallFile, withInput, withSource } from '../../io/input.ts';
import { fromOtherFile } from '../../io/other-files.ts';
import { fileCommand } from '../../many/command-of.ts';
import type { FileOptionsOf } from '../../many/file-command.ts';
import { withManyFiles } from '../../many/options.ts';
import { withRamFile } from '../../parsing/ram-option.ts';
import { FILES } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import {
  type Job,
  NO_STATE,
  type Outcome,
  threadsOf,
  withCommonOptions,
  withThreads,
} from '../../process/run-command.ts';
import { sizeText } from '../../terminal/size-text.ts';
import { bad, good } from '../../terminal/styles.ts';
import { table } from '../../terminal/table.ts';
import { indent, line, lines, NO_TEXT, type Piece, type TerminalText } from '../../terminal/terminal-text.ts';
import { findingText } from '../../text/finding-text.ts';

/** Report about a file, with its hash if asked for. */
interface Checked extends StateReport {
  sha256?: string;
  /** Signer of the manifest. */
  signer?: string;
}

const EXIT_CODES = {
  whole: ExitCode.OK,
  'no-damage-found': ExitCode.OK,
  damaged: ExitCode.BAD_FILE,
  unsupported: ExitCode.UNSUPPORTED,
  'not-a-state': ExitCode.UNSUPPORTED,
} as const;

/** The verdict on a good state of QEMU, which has no checksums. */
const NO_CHECKSUM =
  "no damage found; QEMU's format has no checksum, so a changed page or register cannot be seen (a manifest " +
  'can tell later)';

const WORDS: Readonly<Record<keyof typeof EXIT_CODES, string>> = {
  whole: 'whole',
  'no-damage-found': NO_CHECKSUM,
  damaged: 'damaged',
  unsupported: 'not supported',
  'not-a-state': NO_STATE,
};

const builder = (argv: Argv) =>
  withManyFiles(withRamFile(withThreads(withCommonOptions(argv))))
    .positional('files', FILES)
    .option('units', {
      type: 'boolean',
      default: false,
      describe: 'List the verdict of every unit, also of good ones',
    })
    .option('manifest', {
      type: 'string',
      requiresArg: true,
      describe: 'List all that has changed since this manifest was made',
    })
    .option('signers', {
      type: 'string',
      requiresArg: true,
      describe: 'With --manifest: file of allowed signers (see ssh-keygen), one of whom must have signed the manifest',
    })
    .option('hash', {
      type: 'boolean',
      default: false,
      describe: 'Print the SHA-256 of each file, too, from the same reading',
    })
    .example('$0 verify machine.sav', 'Is this file whole?')
    .example('$0 verify --json *.sav', 'Check many, for scripts')
    .example('$0 verify -r states --journal checked.ndjson', 'Check an archive; with --resume, go on after a crash')
    .example('xz -dc old.sav.xz | $0 verify -', 'Check a stream')
    .example('$0 verify --manifest machine.manifest machine.sav', 'Which page, unit or field has changed?')
    .epilogue('Exit codes: 0 whole, 1 damaged, 4 cannot be read, 5 not supported, or not a saved state.');
type Options = FileOptionsOf<typeof builder>;

export const verifyCommand = fileCommand({
  name: 'verify',
  usage: '<files..>',
  builder,
  settle: ({ signers, manifest }) => {
    if (signers !== undefined && manifest === undefined)
      throw new UsageError('bad-combination', '--signers goes with --manifest');
  },
  perFile: (job, options) =>
    options.manifest === undefined
      ? withInput(job.file, async (source) => outcomeOf(job.file, await check(source, job, options), options), options)
      : withSource(
          job,
          async (source) =>
            outcomeOf(job.file, await checkAgainst(options.manifest ?? '', source, job, options), options),
          options,
        ),
});

async function check(source: ByteSource, { signal, progress }: Job, options: Options): Promise<Checked> {
  const settings = { signal, ...threadsOf(options), onProgress: (done: number) => progress.update(done, source.size) };
  if (!options.hash) return verifyState(source, settings);
  const hashed = hashedSource(source);
  return { ...(await verifyState(hashed, settings)), sha256: await hashed.sha256() };
}

async function signerOfManifest(path: string, bytes: Uint8Array, signers: string): Promise<string> {
  const { signatureOf, signerOf } = await import('../../io/ssh-signature.ts');
  const signature = await readSmallFile(signatureOf(path), SIGNATURE_LIMIT);
  return signerOf(bytes, signature, signers, path);
}

const SIGNATURE_LIMIT = 65_536;

/** The report of `verify`, with changes since the manifest was made. */
async function checkAgainst(path: string, source: ByteSource, job: Job, options: Options): Promise<Checked> {
  const { compareWithManifest } = await import('../../../src/saved-state/manifest/compare-manifest.ts');
  const { decodeManifest, MANIFEST_LIMIT } = await import('../../../src/saved-state/manifest/manifest-file.ts');
  const { signers } = options;
  const { manifest, signer } = await fromOtherFile(async () => {
    const bytes = await readSmallFile(path, MANIFEST_LIMIT);
    const signer = signers === undefined ? undefined : await signerOfManifest(path, bytes, signers);
    return { manifest: decodeManifest(bytes), signer };
  });
  const report = await check(source, job, options);
  const { signal, progress } = job;
  const compared = await compareWithManifest(source, manifest, {
    signal,
    state: report.state,
    onProgress: (doing, done) => progress.update(done, source.size, doing),
  });
  if (compared.same) return signer === undefined ? report : { ...report, signer };
  const findings = [...report.findings, ...compared.findings];
  const isGood = EXIT_CODES[report.verdict] === ExitCode.OK;
  if (isGood) {
    const message = 'The state is whole, but is not as it was when the manifest was made';
    findings.unshift({ severity: 'error', code: 'manifest-other', message, place: {} });
  }
  return {
    ...report,
    verdict: isGood ? 'damaged' : report.verdict,
    findings,
    droppedFindings: report.droppedFindings + compared.droppedFindings,
  };
}

function outcomeOf(file: string, report: Checked, options: Options): Outcome {
  const { verdict, vboxCode, qemuSays, findings, droppedFindings, state, sha256, levels, signer } = report;
  const units =
    state?.units.map((unit) => ({ ...describeUnit(unit), verdict: unit.findings.length > 0 ? 'damaged' : 'good' })) ??
    [];
  const container = state
    ? {
        family: state.family.name,
        format: state.format,
        release: state.release,
      }
    : null;
  const result = {
    verdict,
    vboxCode: vboxCode ?? null,
    qemuSays,
    levels,
    droppedFindings,
    container,
    size: state?.size ?? null,
    sha256,
    signer,
    units,
  };
  const exitCode = EXIT_CODES[verdict];
  const text =
    options.quiet && exitCode === ExitCode.OK
      ? NO_TEXT
      : lines([
          headline(file, report),
          ...(sha256 === undefined ? [] : [indent(`SHA-256 ${sha256}`)]),
          ...(signer === undefined ? [] : [indent(line`as when the manifest was made, which ${signer} has signed`)]),
          ...findingLines(findings, droppedFindings),
          ...unitLines(report, options),
        ]);
  return { exitCode, findings, result, text, word: WORDS[verdict] };
}

function headline(file: string, { verdict, vboxCode, qemuSays, state, findings }: StateReport): TerminalText {
  const what = state
    ? `${state.title}, ${countText(state.units.length, state.family.unitWord)}, ${sizeText(state.size)}`
    : '';
  const warnings = findings.filter(({ severity }) => severity === 'warning').length;
  const notes = warnings > 0 ? `, ${warnings} warning${warnings > 1 ? 's' : ''}` : '';
  if (verdict === 'whole') return line`${file}: ${good('whole')} (${what}${notes})`;
  if (verdict === 'no-damage-found') return line`${file}: ${good(NO_CHECKSUM)} (${what}${notes})`;
  const answer = vboxCode ? `; VirtualBox would answer ${vboxCode}` : qemuSays ? `; QEMU would say: ${qemuSays}` : '';
  return line`${file}: ${bad(verdict)}${what ? ` (${what}${notes})` : ''}${answer}`;
}

function findingLines(findings: readonly Finding[], dropped: number): Piece[] {
  const shown = findings.map((finding) => indent(findingText(finding)));
  return dropped > 0 ? [...shown, indent(`… and ${dropped} more`)] : shown;
}

/** Verdicts of units: of all on request, else of bad units, with the number of good ones. */
function unitLines({ state, verdict }: StateReport, options: Options): Piece[] {
  if (!state) return [];
  const goodUnits = state.units.filter((unit) => unit.findings.length === 0);
  if (!options.units)
    return verdict === 'damaged'
      ? [indent(`${goodUnits.length} of ${state.units.length} ${state.family.unitWord}s are good`)]
      : [];
  const rows = state.units.map((unit) => [
    unit.pass,
    unit.name,
    unit.instance,
    unit.version,
    unit.offset,
    unit.size,
    unit.findings.length > 0 ? 'damaged' : 'good',
  ]);
  return [table(['pass', state.family.unitWord, 'instance', 'version', 'offset', 'bytes', 'verdict'], rows)];
}
