import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { expect } from 'vitest';
import { runHere } from './run-here.ts';

const schema = JSON.parse(readFileSync(new URL('../output.schema.json', import.meta.url), 'utf8')) as object;
const ajv = new Ajv({ allErrors: true, strict: false }).addSchema(schema, 'savkit');
const matchers = { document: ajv.compile(schema), file: ajv.compile({ $ref: 'savkit#/definitions/fileEvent' }) };

/** The document of `--json` about one file. */
export interface JsonFile<T> {
  exitCode: number;
  result: T;
  findings: { code: string }[];
  error: { code: string; message: string } | null;
}

/** Fails where a document, or the event of a file, is not as `cli/output.schema.json` describes it. */
export function expectSchema(document: unknown): void {
  const matches = matchers[(document as { event?: string }).event === 'file' ? 'file' : 'document'];
  expect(matches(document), JSON.stringify(matches.errors)).toBe(true);
}

/** Runs a command line with `--json` in this process. What it prints must match the schema, and name the exit code. */
export async function savkitJson<T = Record<string, unknown>>(
  ...args: string[]
): Promise<{ exitCode: number; files: JsonFile<T>[] }> {
  const { stdout, exitCode } = await runHere(...args, '--json');
  const document = JSON.parse(stdout);
  expectSchema(document);
  expect(document.exitCode).toBe(exitCode);
  return document;
}

/** The same for one file. */
export async function savkitFile<T = Record<string, unknown>>(...args: string[]): Promise<JsonFile<T>> {
  return (await savkitJson<T>(...args)).files[0];
}
