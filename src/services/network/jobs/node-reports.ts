import { type Static, Type } from 'typebox';
import type { PortReport } from '../../../agents/network/protocol.ts';
import { VersionedSchema } from '../../../kernel/api/schema.ts';
import { badRequest } from '../../../kernel/fault.ts';

const text = Type.String({ maxLength: 100 });
const Report = Type.Object({
  ports: Type.Array(Type.Object({
    port_id: text,
    status: Type.Union([Type.Literal('ACTIVE'), Type.Literal('DOWN'), Type.Literal('ERROR')]),
    reason: Type.Optional(Type.String()),
    floating_ips: Type.Optional(Type.Array(Type.Object({ floating_ip_address: text, fixed_ip_address: text }))),
  })),
});
const schema = new VersionedSchema(Report);

/** `network.report`'s parameters as a node sent them, which may be broken or in foreign hands. Faults: 400 `network.bad-report`. */
export function readReports(parameters: unknown): PortReport[] {
  const problem = schema.check(parameters, 0);
  if (problem !== undefined) throw badRequest('network.bad-report', `This is no report of ports: ${problem.field} ${problem.message}.`);
  return (parameters as Static<typeof Report>).ports;
}
