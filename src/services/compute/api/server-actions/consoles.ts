/** The calls for consoles that there were before 2.6. */
import { Type } from 'typebox';
import { badRequest } from '../../../../kernel/fault.ts';
import type { ComputeDeps } from '../../deps.ts';
import { type ConsoleProtocol, createConsole } from '../../model/consoles.ts';
import { versions } from '../../versions.ts';
import { consoleMethod, consoleUrl, REMOTE_CONSOLES } from '../remote-consoles.ts';
import { type Action, anything, closed } from './action.ts';

const reply = Type.Object({ console: Type.Object({ type: Type.String(), url: Type.String() }) });

export function consoleActions(deps: ComputeDeps): Action[] {
  const open = (name: string, protocol: ConsoleProtocol, types: readonly string[], summary: string): Action => ({
    name,
    summary,
    policy: `os_compute_api:${REMOTE_CONSOLES}`,
    until: versions.REMOTE_CONSOLES - 1,
    body: Type.Object({ [name]: Type.Object({ type: Type.Union(types.map((type) => Type.Literal(type))) }, closed) }, closed),
    status: 200,
    reply,
    act: async (row, { ctx }, call) => {
      const { type } = (call.body as Record<string, { type: string }>)[name]!;
      const token = await createConsole(deps, ctx, row, { protocol, type, method: consoleMethod[protocol] });
      return { console: { type, url: consoleUrl(call, protocol, token) } };
    },
  });
  return [
    open('os-getVNCConsole', 'vnc', ['novnc', 'xvpvnc'], 'Open the console of a server where clients ask for VNC'),
    open('os-getSerialConsole', 'serial', ['serial'], 'Open the serial console of a server'),
    open('os-getSPICEConsole', 'spice', ['spice-html5'], 'Open a SPICE console: containers have none'),
    {
      name: 'os-getRDPConsole',
      summary: 'Open an RDP console: removed from the Compute API',
      policy: `os_compute_api:${REMOTE_CONSOLES}`,
      until: versions.REMOTE_CONSOLES - 1,
      body: anything('os-getRDPConsole'),
      status: 200,
      act: async () => {
        throw badRequest('compute.removed', 'The server could not comply with the request since it is either malformed or otherwise incorrect.');
      },
    },
  ];
}
