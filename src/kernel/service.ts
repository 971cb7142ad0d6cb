import type { IncomingHttpHeaders } from 'node:http';
import type { Endpoint } from './api/endpoint.ts';
import type { Auth } from './context.ts';
import type { MicroversionRange } from './api/microversion.ts';
import type { Problem } from './api/schema.ts';
import type { Migration } from './db/migrate.ts';
import type { Fault } from './fault.ts';
import type { SocketRoute } from './http/sockets.ts';
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

/** What tells who calls. */
export interface CallerRequest {
  method: string;
  /** As the endpoints declare it, with the prefix, still encoded. */
  path: string;
  headers: IncomingHttpHeaders;
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
  /** Who calls, where clients of this surface say it otherwise than by X-Auth-Token. Undefined: nobody who may make this call. */
  authenticate?(request: CallerRequest): Promise<Auth | undefined>;
  /** Brings a path as sent into the form that the endpoints declare: what spans several parts of a path becomes one, encoded. */
  rewrite?(path: string): string;
  /** On every reply, faults included. */
  headers?: Record<string, string>;
  /** Response headers that repeat the request id beside X-Openstack-Request-Id. */
  requestIdHeaders?: string[];
  /** WebSockets; their paths are not below the prefix by themselves. */
  sockets?: SocketRoute[];
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
