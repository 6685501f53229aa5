import { parentPort, workerData } from 'node:worker_threads';
import { sharedFile } from '../../../formats/files/source.ts';
import { hashFile } from './file-hashes.ts';
import type { HashOrder } from './hash-beside.ts';

// A thread that hashes a file, reports progress, and posts the hashes at its end. An error ends it.

const { source, stretches } = workerData as HashOrder;
const onProgress = (offset: number) => parentPort?.postMessage(offset);
void hashFile(sharedFile(source), stretches, { onProgress }).then((hashes) => parentPort?.postMessage(hashes));
