import { parentPort } from 'node:worker_threads';
import { type ScanOrder, scanChunks } from './scan-chunks.ts';

// A thread that looks through memory together with others: it takes chunks until none is left, and says so.

parentPort?.on('message', (order: ScanOrder) => {
  scanChunks(order, () => true);
  parentPort?.postMessage(order.number);
});
