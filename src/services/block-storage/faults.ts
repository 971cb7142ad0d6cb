import type { Problem } from '../../kernel/api/schema.ts';
import { badRequest, notFound, Fault } from '../../kernel/fault.ts';
import { describe } from '../../kernel/http/faults.ts';
import type { FaultRequest, WireFault } from '../../kernel/service.ts';

const NAMES: Record<number, string> = {
  400: 'badRequest', 401: 'unauthorized', 403: 'forbidden', 404: 'itemNotFound', 405: 'badMethod', 409: 'conflictingRequest', 413: 'overLimit',
  415: 'badMediaType', 429: 'overLimit', 501: 'notImplemented', 503: 'serviceUnavailable',
};

/** Cinder's error body, which is nova's: `computeFault` for what has no name of its own. */
export function formatFault(fault: Fault, _request: FaultRequest): WireFault {
  const name = NAMES[fault.status] ?? 'computeFault';
  const retry = fault.headers['retry-after'];
  const body = { code: fault.status, message: fault.message, ...(retry === undefined ? {} : { retryAfter: retry }) };
  return { contentType: 'application/json', body: JSON.stringify({ [name]: body }) };
}

/** Cinder's words for input that does not fit its schema. */
export function invalidInput(problem: Problem, where: 'body' | 'query'): Fault {
  const message = describe(problem);
  if (problem.field === '') return badRequest(`api.${where}-invalid`, message);
  const value = JSON.stringify(problem.value)?.slice(0, 200);
  const what = where === 'query' ? 'query parameters' : 'field/attribute';
  return badRequest(`api.${where}-invalid`, `Invalid input for ${what} ${problem.field.replace(/^.*\.(?=[^.]*$)/, '')}. Value: ${value}. ${message}`);
}

const missing = (code: string, words: (id: string) => string) => (id: string): Fault => notFound(`block-storage.${code}-not-found`, words(id));

export const volumeNotFound = missing('volume', (id) => `Volume ${id} could not be found.`);
export const snapshotNotFound = missing('snapshot', (id) => `Snapshot ${id} could not be found.`);
export const attachmentNotFound = missing('attachment', (id) => `Volume attachment could not be found with filter: attachment_id = ${id}.`);
export const typeNotFound = missing('type', (id) => `Volume type ${id} could not be found.`);
export const typeNameNotFound = missing('type', (name) => `Volume type with name ${name} could not be found.`);
export const qosNotFound = missing('qos-specs', (id) => `No such QoS spec ${id}.`);
export const transferNotFound = missing('transfer', (id) => `Transfer ${id} could not be found.`);
export const backupNotFound = missing('backup', (id) => `Backup ${id} could not be found.`);
export const groupNotFound = missing('group', (id) => `Group ${id} could not be found.`);
export const groupTypeNotFound = missing('group-type', (id) => `Group type ${id} could not be found.`);
export const groupSnapshotNotFound = missing('group-snapshot', (id) => `GroupSnapshot ${id} could not be found.`);
export const messageNotFound = missing('message', (id) => `Message ${id} could not be found.`);

export const invalidVolume = (reason: string): Fault => badRequest('block-storage.volume-invalid', `Invalid volume: ${reason}`);
export const invalidSnapshot = (reason: string): Fault => badRequest('block-storage.snapshot-invalid', `Invalid snapshot: ${reason}`);
export const invalidBackup = (reason: string): Fault => badRequest('block-storage.backup-invalid', `Invalid backup: ${reason}`);
export const invalidGroup = (reason: string): Fault => badRequest('block-storage.group-invalid', `Invalid Group: ${reason}`);
export const invalidInputOf = (reason: string): Fault => badRequest('block-storage.input-invalid', `Invalid input received: ${reason}`);

/** Cinder's 413, which clients read as "quota". */
export const overQuota = (message: string): Fault => new Fault(413, 'block-storage.over-quota', message, { headers: { 'retry-after': '0' } });
