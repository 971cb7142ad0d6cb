import { STATUS_CODES } from 'node:http';
import { conflict, type Fault, notFound } from '../../kernel/fault.ts';
import type { FaultRequest, WireFault } from '../../kernel/service.ts';

/** `{"errors": [{status, title, detail, request_id}]}` */
export function formatFault(fault: Fault, request: FaultRequest): WireFault {
  const error = { status: fault.status, title: STATUS_CODES[fault.status] ?? 'Error', detail: `${fault.message}\n\n   `, request_id: request.request_id };
  return { contentType: 'application/json', body: JSON.stringify({ errors: [error] }) };
}

export const noProvider = (id: string): Fault => notFound('placement.provider-not-found', `No resource provider with uuid ${id} found`);
export const concurrentUpdate = (): Fault => conflict('placement.concurrent-update', 'resource provider generation conflict');
export const badCapacity = (provider_id: string, resource_class: string): Fault =>
  conflict('placement.capacity', `Unable to allocate inventory: Unable to create allocation for '${resource_class}' on resource provider '${provider_id}'. The requested amount would exceed the capacity.`);
