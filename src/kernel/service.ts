import type { Endpoint } from './api/endpoint.ts';
import type { MicroversionRange } from './api/microversion.ts';
import type { Problem } from './api/schema.ts';
import type { Migration } from './db/migrate.ts';
import type { Fault } from './fault.ts';
import type { Job } from './job/reconciler.ts';
import type { PolicyRule } from './policy/rule.ts';
import type { TaskDefinition } from './task/define.ts';

/** A fault as one service puts it on the wire. */
export interface WireFault {
  contentType: string;
  body: string;
  headers?: Record<string, string>;
}

/** What a service's fault format may look at beside the fault. */
export interface FaultRequest {
  accept: string | undefined;
  method: string;
  path: string;
  request_id: string;
  version: number;
  /** `http://host:5000/identity` */
  base: string;
}

/** The HTTP surface of a service. */
export interface Surface {
  /** `compute`: also the first part of its URLs, `/compute/…`. */
  name: string;
  /** Type in the catalog, where it is another than `name`. */
  type?: string;
  prefix: string;
  microversions?: MicroversionRange;
  endpoints: Endpoint[];
  policies: PolicyRule[];
  /** The service's own error body. */
  formatFault(fault: Fault, request: FaultRequest): WireFault;
  /** The service's own words for a body or query that does not fit its schema; default 400 "Invalid input for field/attribute". */
  invalid?(problem: Problem, where: 'body' | 'query'): Fault;
  /** Response headers that repeat the request id beside X-Openstack-Request-Id. */
  requestIdHeaders?: string[];
  /** True: a path may end with a slash more than it is declared with. */
  trailingSlash?: boolean;
  /** True: a missing or bad token is answered in the service's own format (keystone), else in keystonemiddleware's. */
  ownUnauthorized?: boolean;
}

/** A service: one entry of the catalogue. */
export interface Service extends Surface {
  tasks: TaskDefinition[];
  jobs: Job[];
  migrations: Migration[];
}
