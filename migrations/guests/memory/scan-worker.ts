import { parentPort } from 'node:worker_threads';
import { type ScanOrder, scanChunks } from './scan-chunks.ts';

// A thread that scans memory together with others: it takes chunks until none is left, and reports its end.

parentPort?.on('message', (order: ScanOrder) => {
  scanChunks(order, () => true);
  parentPort?.postMessage(order.number);
});
