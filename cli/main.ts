#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { ExitCode } from './exit-codes.ts';
import { onOutputError, show } from './terminal/print.ts';
import { line } from './terminal/terminal-text.ts';

/** A reader that closed its end early, like `head`, wants no more; that is no fault. */
onOutputError((error) => process.exit(error.code === 'EPIPE' ? ExitCode.OK : ExitCode.ENVIRONMENT));

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

// A version needs no command line parser.
if (process.argv.slice(2).join(' ') === '--version') void show(line`${version}`);
else void import('./command-line.ts').then(({ runCommandLine }) => runCommandLine(version));
