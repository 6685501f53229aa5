import type { Options, PositionalOptions } from 'yargs';
import type { Declaration } from './declaration.ts';

/** Options that every command has; a page tells of them once, at its end. */
export const COMMON = ['json', 'quiet'];

/** The generated parts of a command's page in docs/commands, by their names in the page's markers. */
export function partsOf(declaration: Declaration): Record<string, string> {
  return {
    synopsis: `${sentence(declaration.describe)}\n\n    savkit ${declaration.command} [options]`,
    options: optionList(declaration),
    examples: declaration.examples
      .map(({ call, meaning }) => `- \`${call.replaceAll('$0', 'savkit')}\`: ${escaped(meaning)}`)
      .join('\n'),
    notes: declaration.epilogue.trim(),
  };
}

/** The parts of the page about all commands. */
export function overviewOf(commands: readonly Pick<Declaration, 'command' | 'describe'>[]): Record<string, string> {
  return {
    synopsis: 'Saved states of virtual machines, and machines between hosts.\n\n    savkit COMMAND [options]',
    commands: commands
      .map(({ command, describe }) => `- [${command.split(' ')[0]}](${command.split(' ')[0]}.md): ${escaped(describe)}`)
      .join('\n'),
  };
}

/** A page for a command without one. */
export function newPage(name: string): string {
  const part = (title: string, marker: string) => `${title}<!-- table ${marker} -->\n<!-- end -->\n`;
  return [
    `# savkit ${name}\n`,
    part('', 'synopsis'),
    part('## Options\n\n', 'options'),
    part('## Examples\n\n', 'examples'),
    part('## Notes\n\n', 'notes'),
  ].join('\n');
}

function optionList({ positionals, options }: Declaration): string {
  const rows = [
    ...[...positionals].map(([name, declared]) => `- \`${name}${choicesOf(declared)}\`: ${meaningOf(declared)}`),
    ...[...options]
      .filter(([name, { hidden }]) => !COMMON.includes(name) && !hidden)
      .map(([name, declared]) => `- ${namesOf(name, declared)}: ${meaningOf(declared)}`),
  ];
  return [...rows, `- \`--json\`, \`--quiet\`, \`--help\`: as with every command`].join('\n');
}

function choicesOf({ choices }: Options | PositionalOptions): string {
  return choices ? ` ${choices.join('|')}` : '';
}

function namesOf(name: string, declared: Options): string {
  const { alias, type } = declared;
  const short = [alias ?? []].flat().map((each) => `\`${each.length === 1 ? '-' : '--'}${each}\``);
  const takes = choicesOf(declared) || (type === 'boolean' ? '' : ' VALUE');
  return [...short, `\`--${name}${takes}\``].join(', ');
}

function meaningOf({ describe, default: given }: Options | PositionalOptions): string {
  const text = escaped(String(describe ?? ''));
  const isSaid = given === undefined || given === false || (Array.isArray(given) && given.length === 0);
  return `${text}${isSaid ? '' : ` (default: ${given})`}`;
}

function sentence(text: string): string {
  return `${text}.`;
}

/** Angle brackets would be tags in Markdown. */
function escaped(text: string): string {
  return text.replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
