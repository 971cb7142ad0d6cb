/** Consoles: a URL with a token, at which a terminal in the browser and WebSockets are. */
import { Type } from 'typebox';
import { type AnyCall, endpoint, type Endpoint } from '../../../kernel/api/endpoint.ts';
import { since } from '../../../kernel/api/microversion.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { CONSOLE_PATH, type ConsoleProtocol, createConsole } from '../model/consoles.ts';
import { versions } from '../versions.ts';
import { MEMBER, rule } from './rules.ts';
import { serverOf, serverTarget } from './server-target.ts';

export const REMOTE_CONSOLES = 'os-remote-consoles';
const closed = { additionalProperties: false } as const;

const protocol = Type.Union([...['vnc', 'spice', 'serial', 'rdp'].map((one) => Type.Literal(one)), since(versions.CONSOLE_MKS, Type.Literal('mks'))]);
const type = Type.Union([
  ...['novnc', 'xvpvnc', 'spice-html5', 'serial', 'rdp-html5'].map((one) => Type.Literal(one)),
  since(versions.CONSOLE_MKS, Type.Literal('webmks')),
  since(versions.SPICE_DIRECT, Type.Literal('spice-direct')),
]);

/** Serial consoles are named by their WebSocket, as nova's are; at the same address a browser finds the page. */
export function consoleUrl(call: Pick<AnyCall, 'base'>, of: ConsoleProtocol, token: string): string {
  const { protocol: scheme, host } = new URL(call.base);
  const socket = scheme === 'https:' ? 'wss:' : 'ws:';
  return `${of === 'serial' ? socket : scheme}//${host}${CONSOLE_PATH}?token=${token}`;
}

/** Nova's names of the calls, as its messages have them. */
export const consoleMethod: Record<ConsoleProtocol, string> = {
  vnc: 'get_vnc_console', serial: 'get_serial_console', spice: 'get_spice_console', mks: 'get_mks_console', rdp: 'get_rdp_console',
};

export const remoteConsoleEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'remote-consoles:create',
    method: 'POST',
    path: '/v2.1/servers/{server_id}/remote-consoles',
    summary: 'Open the console of a server',
    policy: `os_compute_api:${REMOTE_CONSOLES}`,
    since: versions.REMOTE_CONSOLES,
    target: serverTarget(deps),
    body: Type.Object({ remote_console: Type.Object({ protocol, type }, closed) }, closed),
    reply: Type.Object({ remote_console: Type.Object({ protocol: Type.String(), type: Type.String(), url: Type.String() }) }),
    status: 200,
    handler: async (call) => {
      const asked = call.body.remote_console as { protocol: ConsoleProtocol; type: string };
      const token = await createConsole(deps, call.ctx, serverOf(call), { ...asked, method: consoleMethod[asked.protocol] });
      return { remote_console: { ...asked, url: consoleUrl(call, asked.protocol, token) } };
    },
  }),
];

export const remoteConsolePolicies: PolicyRule[] = [
  rule(REMOTE_CONSOLES, MEMBER, 'Open the console of a server.', 'POST /servers/{server_id}/remote-consoles', 'POST /servers/{server_id}/action'),
];
