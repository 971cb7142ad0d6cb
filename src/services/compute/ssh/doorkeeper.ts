/** Where ssh comes in: through the nodes, for servers that do not listen themselves, and on a port of its own. */
import { computeMethods } from '../../../agents/compute/protocol.ts';
import type { ConnectedNode } from '../../../kernel/bus/node-link.ts';
import { pipeDuplex } from '../../../kernel/bus/pipe-duplex.ts';
import { notFound } from '../../../kernel/fault.ts';
import { mayHaveDoor } from '../model/ssh-access.ts';
import { findServer } from '../store/servers.ts';
import type { SshDeps, SshGateway } from './gateway.ts';

export interface SshOptions {
  /** Of the gateway's own key. */
  key_file: string;
  /** Address of the port, where the configuration names none. */
  host: string;
}

export interface Doorkeeper {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function sshDoorkeeper(deps: SshDeps, { key_file, host }: SshOptions): Doorkeeper {
  let gateway: Promise<SshGateway> | undefined;
  // Its parser is loaded for the first who comes.
  const open = (): Promise<SshGateway> => (gateway ??= import('./gateway.ts').then(({ createSshGateway }) => createSshGateway(deps, key_file)));

  deps.nodes.handle(computeMethods.sshKnock, async (node: ConnectedNode, { server_id, remote_address }: { server_id: string; remote_address: string }) => {
    const row = await findServer(deps.db.read, server_id);
    if (row === undefined || row.deleted === 1 || row.node_id !== node.id || !mayHaveDoor(row)) throw notFound('compute.server-unknown', `There is no server ${server_id} on this node.`);
    const ready = await open();
    return { stream_id: deps.nodes.expectStream(node.id, (pipe) => ready.take(pipeDuplex(pipe), server_id, remote_address)) };
  });
  return {
    async start() {
      const { ssh_gateway_port: port, ssh_gateway_host } = deps.config;
      if (port === 0) return;
      try {
        deps.log.info({ port: await (await open()).listen(ssh_gateway_host || host, port) }, 'the gateway for ssh listens');
      } catch (error) {
        deps.log.error({ err: error, port }, 'the gateway for ssh cannot listen: the cloud runs without it');
      }
    },
    async stop() {
      await (await gateway)?.close();
    },
  };
}
