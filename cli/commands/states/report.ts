import { basename } from 'node:path';
import type { Argv } from 'yargs';
import { peek } from '../../../formats/files/peeked-source.ts';
import { systemDate } from '../../../formats/world/waiting.ts';
import { withSource } from '../../io/input.ts';
import { withOutput } from '../../io/output.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { FORCE, outputTo } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { version } from '../../process/version.ts';
import { readResults } from '../../report/events.ts';
import { FleetSection } from '../../report/fleet-section.ts';
import { type Html, pageOf } from '../../report/html.ts';
import { migrationSection } from '../../report/migration-section.ts';
import { stateSection } from '../../report/state-section.ts';
import { sizeText } from '../../terminal/size-text.ts';
import { line, NO_TEXT } from '../../terminal/terminal-text.ts';

/** Migrations with a section of their own; more sections would make a page too long to read. */
const MOST_MIGRATIONS = 100;

const builder = (argv: Argv) =>
  withCommonOptions(argv)
    .positional('files', {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'Saved states, and results of other commands: their --ndjson, --json or journals',
    })
    .option('output', { ...outputTo('HTML file to write; - for stdout'), demandOption: true })
    .option('title', {
      type: 'string',
      requiresArg: true,
      describe: 'Title of the page; default: the name of the first file',
    })
    .option('force', FORCE)
    .example('$0 report machine.sav -o report.html', 'A page about a state: memory map, kinds of pages, units, screen')
    .example('$0 report checked.ndjson -o archive.html', 'Results for many files')
    .epilogue('Exit codes: 0 written, also for damaged states (the page says so); 4 a file cannot be read or written.');
type Options = OptionsOf<typeof builder>;

export const reportCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('report', [options.files[0]], options, (job) => runReport(job, options));
});

async function runReport(job: Job, options: Options): Promise<Outcome> {
  const { files, output, force, quiet, title = basename(files[0]) } = options;
  return withOutput(output, { force }, async (sink) => {
    const content = await contentOf(files, job);
    const made = `savkit ${version()}, ${systemDate().toISOString().slice(0, 16).replace('T', ' ')} UTC`;
    const page = Buffer.from(pageOf(title, made, content.sections));
    await sink.write(page);
    const { states, migrations, results } = content;
    const text = quiet || output === '-' ? NO_TEXT : line`${output}: ${sizeText(page.length)}`;
    return {
      keep: true,
      value: { exitCode: ExitCode.OK, result: { output, states, migrations, files: results, size: page.length }, text },
    };
  });
}

async function contentOf(files: readonly string[], { signal, progress }: Job) {
  const sections: Html[] = [];
  const fleet = new FleetSection();
  let [states, migrations] = [0, 0];
  const takers = {
    file: fleet.add.bind(fleet),
    migration: (figures: Parameters<typeof migrationSection>[0]) => {
      if (migrations++ < MOST_MIGRATIONS) sections.push(migrationSection(figures));
    },
  };
  for (const file of files) {
    await withSource(
      { file },
      async (source) => {
        const { head } = await peek(source, 1);
        if (head[0] === '{'.charCodeAt(0)) return void (await readResults(source, takers));
        const onProgress = (doing: string, done: number) => progress.update(done, source.size, doing);
        states++;
        sections.push((await stateSection(file, source, signal, onProgress)).html);
      },
      { mayBeOther: true },
    );
  }
  return { sections: [fleet.html, ...sections], states, migrations, results: fleet.files };
}
